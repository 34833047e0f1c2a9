"""Nouns ⇄ JSON: how a recipe or a state is written down and read back.

A noun is a frozen dataclass. It is written as `{"noun": "edgewise.methods:GradientDescent", "lr": 0.01}`,
tagged with the room that exports it, so a stored recipe stays readable when a module moves inside its
room. Tensors do not go through JSON: they are handed out to a flat dictionary (which the store writes as
safetensors) and replaced by `{"tensor": "path/to/it"}`.

Reading never executes anything that was stored: a tag is looked up among the exports of edgewise's own
rooms, or among modules the reader has already imported, and must be a dataclass.
"""

import importlib.util
import json
import math
import re
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from edgewise.foundation.errors import NounError, SettingError

JSON = Any
"""What `json` reads and writes: dict, list, str, int, float, bool or None."""

_TAGS = frozenset({"noun", "tensor", "tuple", "float", "dtype"})
# A room, never a script: importing `edgewise.__main__` would run it.
_ROOM = re.compile(r"edgewise\.[a-z]+")


def encode(value: Any, tensors: MutableMapping[str, Tensor] | None = None, path: str = "") -> JSON:
    """Write `value` (nouns, numbers, strings, lists, dicts, tensors) as JSON.

    Args:
        value: what to write.
        tensors: where tensors are put, under their path; None refuses tensors.
        path: prefix of those paths.

    Raises:
        SettingError: if something in `value` cannot be written down.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            # Strict JSON has no infinities or NaN.
            return value if math.isfinite(value) else {"float": repr(value)}
        case torch.dtype():
            return {"dtype": str(value).removeprefix("torch.")}
        case Tensor() if tensors is not None:
            tensors[path] = value
            return {"tensor": path}
        case tuple():
            return {"tuple": [encode(v, tensors, f"{path}/{i}") for i, v in enumerate(value)]}
        case list():
            return [encode(v, tensors, f"{path}/{i}") for i, v in enumerate(value)]
        case Mapping() if all(isinstance(key, str) and key not in _TAGS for key in value):
            return {key: encode(v, tensors, f"{path}/{key}") for key, v in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            values = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
            body = {name: encode(v, tensors, f"{path}/{name}") for name, v in values.items()}
            return {"noun": tag_of(type(value)), **body}
    raise SettingError(
        f"a {type(value).__name__} at {path or 'the top'} of a recipe",
        "only dataclasses, numbers, strings, lists, tuples, dicts and dtypes can be written down",
        "Make it a frozen dataclass at the top level of a module",
    )


def decode(tree: JSON, tensors: Mapping[str, Tensor] | None = None) -> Any:
    """Read back what `encode` wrote.

    Raises:
        NounError: if a tag names nothing known here, or its fields are not those of the noun.
    """
    match tree:
        case {"noun": str(tag)}:
            noun = _lookup(tag)
            try:
                return noun(**{key: decode(v, tensors) for key, v in tree.items() if key != "noun"})
            except TypeError as error:
                raise NounError(
                    f"a stored {tag}",
                    f"its fields are not those of this version ({error})",
                    "Read it with the version of edgewise that its manifest names",
                ) from error
        case {"float": "inf" | "-inf" | "nan" as text}:
            return float(text)
        case {"dtype": str(name)} if isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        case {"tensor": str(path)} if tensors is not None and path in tensors:
            return tensors[path]
        case {"tuple": list(items)}:
            return tuple(decode(item, tensors) for item in items)
        case dict() if not _TAGS.isdisjoint(tree):
            raise NounError(
                f"a stored {json.dumps(tree)[:80]}",
                "edgewise does not write this, or its tensors are missing",
                "Restore the run folder from a copy",
            )
        case dict():
            return {key: decode(v, tensors) for key, v in tree.items()}
        case list():
            return [decode(item, tensors) for item in tree]
    return tree


def tag_of(noun: type) -> str:
    """The name under which a noun is stored: `room:Name` for ours, `module:Name` for the user's."""
    module = noun.__module__
    if module.startswith("edgewise."):
        module = ".".join(module.split(".")[:2])
    return f"{module}:{noun.__qualname__}"


def _lookup(tag: str) -> type[Any]:
    module_name, _, name = tag.partition(":")
    noun = None
    if _ROOM.fullmatch(module_name) and importlib.util.find_spec(module_name) is not None:
        module = importlib.import_module(module_name)
        noun = getattr(module, name) if name in getattr(module, "__all__", ()) else None
    elif module_name.split(".")[0] != "edgewise":
        noun = getattr(sys.modules.get(module_name), name, None)
    if isinstance(noun, type) and is_dataclass(noun):
        return noun
    raise NounError(
        f"a stored recipe names {tag!r}",
        "this is not a noun of edgewise, nor of a module that is already imported",
        f"Type import {module_name} before opening the run, or install the version its manifest names",
    )
