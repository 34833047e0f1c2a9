"""What is written is read back, and reading runs nothing that was stored."""

import dataclasses
import json
import math
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from edgewise.foundation import NounError, SettingError, decode, encode


@dataclass(frozen=True, slots=True)
class Leaf:
    """A noun of the user's."""

    size: int = 3
    factor: float = 0.5


@dataclass(frozen=True)
class Tree:
    """A noun with nouns inside, and fields that are called like the tags of the codec."""

    leaf: Any
    tensor: Any = None
    float: Any = 0.0
    tuple: Any = ()
    dtype: Any = torch.float32
    length: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.tuple))


numbers = st.floats(allow_nan=False) | st.integers() | st.booleans() | st.none() | st.text()
keys = st.text(min_size=1).filter(lambda key: key not in {"noun", "tensor", "tuple", "float", "dtype"})
trees = st.recursive(
    numbers
    | st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bool])
    | st.builds(Leaf, size=st.integers(), factor=st.floats(allow_nan=False)),
    lambda children: (
        st.lists(children, max_size=3)
        | st.lists(children, max_size=3).map(tuple)
        | st.dictionaries(keys, children, max_size=3)
        | st.builds(Tree, children, children, children, st.tuples(children, children), children)
    ),
    max_leaves=12,
)


@given(trees)
def test_what_is_written_is_read_back(value: Any) -> None:
    text = json.dumps(encode(value), allow_nan=False)
    assert decode(json.loads(text)) == value


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_lacks(value: float) -> None:
    text = json.dumps(encode([value, {"a": (value,)}]), allow_nan=False)
    first, second = decode(json.loads(text))
    assert repr(first) == repr(second["a"][0]) == repr(value)


def test_floats_keep_every_bit() -> None:
    for value in (0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0):
        again = decode(json.loads(json.dumps(encode(value))))
        assert repr(again) == repr(value)


def test_tensors_are_put_aside() -> None:
    value = {"state": Tree(leaf=[torch.arange(3), Leaf()], tensor=torch.ones(2, dtype=torch.float64))}
    tensors: dict[str, Tensor] = {}
    text = json.dumps(encode(value, tensors))
    assert set(tensors) == {"/state/leaf/0", "/state/tensor"}
    again = decode(json.loads(text), tensors)["state"]
    assert torch.equal(again.leaf[0], torch.arange(3))
    assert torch.equal(again.tensor, torch.ones(2, dtype=torch.float64))
    assert again.leaf[1] == Leaf()


def test_a_noun_is_tagged_with_its_room() -> None:
    from edgewise.methods import GradientDescent

    tree = encode(GradientDescent(0.01))
    assert tree["noun"] == "edgewise.methods:GradientDescent"
    assert decode(tree) == GradientDescent(0.01)
    assert encode(Leaf())["noun"] == f"{__name__}:Leaf"


class Plain:
    """Not a noun."""


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Plain(), "Plain at the top"),
        ({"a": [1, Plain()]}, "Plain at /a/1"),
        (Leaf, "type at the top"),
        (torch.ones(2), "Tensor at the top"),
        (Tree(leaf=Path("x")), "PosixPath at /leaf"),
        ({1: 2}, "dict at the top"),
        ({"noun": "os:system"}, "dict at the top"),
        ({"a": {"float": "inf"}}, "dict at /a"),
        ({1, 2}, "set at the top"),
        (1j, "complex at the top"),
        (b"bytes", "bytes at the top"),
    ],
)
def test_what_cannot_be_written_is_refused(value: object, name: str) -> None:
    with pytest.raises(SettingError, match=f"a {name} of a recipe: .* frozen dataclass"):
        encode(value)


@pytest.mark.parametrize(
    "tag",
    [
        "os:system",
        "builtins:eval",
        "subprocess:Popen",
        "pathlib:Path",
        "dataclasses:dataclass",
        "no_such_module:Noun",
        "edgewise.methods:NoSuchNoun",
        "edgewise.methods:torch",
        "edgewise.no_such_room:Noun",
        "edgewise.foundation:derive_seed",
        "edgewise.foundation:EdgewiseError",
        "edgewise.foundation.codec:Any",
        "edgewise.__main__:Noun",
        "edgewise:Noun",
        "edgewise",
        ":",
        "",
        "..:x",
        f"{__name__}:Plain",
        f"{__name__}:Leaf.__init__",
    ],
)
def test_only_nouns_are_looked_up(tag: str) -> None:
    with pytest.raises(NounError, match="not a noun of edgewise, nor of a module that is already imported"):
        decode({"noun": tag, "a": 1})


def test_nothing_is_imported_for_a_stored_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = tmp_path / "executed"
    (tmp_path / "malicious.py").write_text(
        f"import dataclasses, pathlib\npathlib.Path({str(proof)!r}).touch()\n"
        "@dataclasses.dataclass\nclass Noun:\n    a: int = 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for tag in ("malicious:Noun", "edgewise.malicious:Noun"):
        with pytest.raises(NounError):
            decode({"noun": tag})
    assert not proof.exists()
    assert "malicious" not in sys.modules


def test_a_module_of_the_user_counts_once_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("somebody")
    module.Noun = dataclasses.make_dataclass("Noun", ["a"])
    monkeypatch.setitem(sys.modules, "somebody", module)
    assert decode({"noun": "somebody:Noun", "a": 2}) == module.Noun(2)


def test_fields_of_another_version() -> None:
    for fields in ({"colour": 1}, {"size": 1, "factor": 1.0, "more": 2}):
        with pytest.raises(NounError, match=r"a stored .*:Leaf: its fields are not those of this version"):
            decode({"noun": f"{__name__}:Leaf", **fields})


@pytest.mark.parametrize(
    "tree",
    [
        {"float": "__import__('os')"},
        {"float": "1.5"},
        {"float": 3},
        {"dtype": "system"},
        {"dtype": "load"},
        {"tuple": "abc"},
        {"tensor": "missing"},
        {"tensor": 3},
        {"noun": 3},
        [{"a": {"tensor": "deep"}}],
    ],
)
def test_what_edgewise_does_not_write_is_refused(tree: Any) -> None:
    for tensors in (None, {}):
        with pytest.raises(NounError, match="edgewise does not write this, or its tensors are missing"):
            decode(tree, tensors)


def test_every_noun_in_the_rooms_can_be_read_back() -> None:
    """Whatever a room exports as a dataclass is found under its own tag."""
    import importlib
    import pkgutil

    import edgewise
    from edgewise.foundation.codec import _lookup, tag_of

    seen = 0
    for room in pkgutil.iter_modules(edgewise.__path__):
        if room.name.startswith("_") or room.name == "cli":
            continue
        module = importlib.import_module(f"edgewise.{room.name}")
        for name in module.__all__:
            noun = getattr(module, name)
            if isinstance(noun, type) and dataclasses.is_dataclass(noun):
                assert _lookup(tag_of(noun)) is noun
                seen += 1
    assert seen > 10
