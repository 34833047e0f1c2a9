"""What is public: `__all__` of the facade and of every room is sorted and is what can be imported."""

import importlib
import pkgutil
import re
import types
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path

import pytest

import edgewise
from edgewise import _NAMESPACES, _ROOMS

SOURCE = Path(edgewise.__file__).parent
ROOMS = sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists())
FOLDERS = sorted(str(path.parent.relative_to(SOURCE)).replace("/", ".") for path in SOURCE.rglob("*/__init__.py"))


def in_order(names: list[str]) -> list[str]:
    """Constants, then classes, then functions, each by name: as ruff sorts `__all__` and imports."""

    def rank(name: str) -> tuple[int, list[tuple[int, str]]]:
        kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
        # Numbers count as numbers: fig3 before fig14.
        return kind, [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]

    return sorted(names, key=rank)


def public_names(module: types.ModuleType) -> set[str]:
    """What stands in a module's namespace without an underscore, submodules aside."""
    inside = {name for _, name, _ in pkgutil.iter_modules(module.__path__)}
    return {
        name
        for name, value in vars(module).items()
        # The import hook of the tests puts jaxtyping into every module.
        if not name.startswith("_")
        and name != "jaxtyping"
        and not (name in inside and isinstance(value, types.ModuleType))
    }


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder.split(".")[0] != "cli"])
def test_a_room_exports_exactly_what_it_says(folder: str) -> None:
    module = importlib.import_module(f"edgewise.{folder}")
    assert module.__all__ == in_order(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)
    assert public_names(module) == set(module.__all__)
    assert module.__doc__


def test_the_facade_exports_exactly_what_it_says() -> None:
    assert edgewise.__all__ == in_order(edgewise.__all__)
    by_room = {name for names in _ROOMS.values() for name in names}
    assert set(edgewise.__all__) == by_room | set(_NAMESPACES)
    assert sum(len(names) for names in _ROOMS.values()) == len(by_room)  # no name in two rooms
    assert set(dir(edgewise)) >= {*edgewise.__all__, "__version__"}
    for room, names in _ROOMS.items():
        module = importlib.import_module(f"edgewise.{room}")
        assert list(names) == in_order(list(names)), room
        for name in names:
            assert name in module.__all__, f"{room}.{name}"
            assert getattr(edgewise, name) is getattr(module, name)
    for name in _NAMESPACES:
        assert getattr(edgewise, name) is importlib.import_module(f"edgewise.{name}")


def test_the_facade_is_what_the_type_checker_sees() -> None:
    """The imports under TYPE_CHECKING, which are never executed, name the same nouns of the same rooms."""
    import ast

    tree = ast.parse((SOURCE / "__init__.py").read_text())
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If))
    seen: dict[str, list[str]] = {}
    for node in guarded.body:
        assert isinstance(node, ast.ImportFrom)
        seen[str(node.module)] = [alias.name for alias in node.names]
    namespaces = seen.pop("edgewise")
    assert namespaces == list(_NAMESPACES)
    assert {f"edgewise.{room}": list(names) for room, names in _ROOMS.items()} == seen


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'edgewise' has no attribute 'Shapness'"):
        _ = edgewise.Shapness


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert edgewise.__version__ == version("edgewise")


def nouns() -> Iterator[type]:
    for folder in FOLDERS:
        module = importlib.import_module(f"edgewise.{folder}")
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if isinstance(value, type) and value.__module__.startswith("edgewise."):
                yield value


def test_values_are_frozen() -> None:
    thawed = {noun.__name__ for noun in nouns() if is_dataclass(noun) and not noun.__dataclass_params__.frozen}
    assert not thawed


def test_a_class_is_abstract_or_final() -> None:
    """What is used cannot be derived from: `final` marks it, abstract methods make it a declaration."""
    neither = {
        noun.__name__
        for noun in nouns()
        if not (
            getattr(noun, "__final__", False)
            or getattr(noun, "__abstractmethods__", None)
            or issubclass(noun, BaseException | dict)
            or getattr(noun, "_is_protocol", False)
        )
    }
    assert not neither
