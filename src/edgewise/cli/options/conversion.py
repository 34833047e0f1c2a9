"""Words from a command line as the values that a recipe takes, by the types of its signature."""

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from edgewise.foundation import SettingError

_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
# Tried in this order where several types are allowed: every word is a str.
_ORDER = (bool, int, float, str)


def converted(
    problem: str, known: Sequence[str], options: Mapping[str, Any], assignments: Sequence[str]
) -> dict[str, Any]:
    """The options of a problem's recipe, converted.

    Args:
        problem: the name of the problem.
        known: the options of its recipe.
        options: by name; None where they were not given.
        assignments: further ones as `key=value`.

    Raises:
        SettingError: if a word is not of the option's type, is no assignment, or is given twice.
    """
    from edgewise.problems import NAMES, Setting

    given = {name: value for name, value in options.items() if value is not None}
    for text in assignments:
        key, equals, value = text.partition("=")
        key = key.strip().replace("-", "_")
        if not equals:
            raise SettingError(f"--set {text}", "it takes a name and a value", f"Type --set {known[0]}=...")
        if key in given and not (key == "seed" and given[key] == 0):
            raise SettingError(f"--set {text}", f"{key} is given twice", "Give it once")
        given[key] = value.strip()
    hints = {**get_type_hints(NAMES[problem]), **get_type_hints(Setting)}
    return {name: _option(name, value, hints) for name, value in given.items()}


def _option(name: str, value: Any, hints: Mapping[str, Any]) -> Any:
    # What is unknown to the recipe is refused by the recipe.
    if not isinstance(value, str) or name not in hints:
        return value
    try:
        return _value(value, hints[name])
    except ValueError as error:
        raise SettingError(f"{name}={value}", f"it takes {_words(hints[name])}", f"Type {name}={error}") from error


def _value(text: str, hint: Any) -> Any:
    """`text` as a value of type `hint`; a ValueError shows one that would do."""
    if get_origin(hint) in (Union, UnionType):
        arms = get_args(hint)
        if NoneType in arms and text.lower() == "none":
            return None
        return _first_of(text, [arm for arm in arms if arm is not NoneType])
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return tuple(_value(word.strip(), item) for word in text.split(",") if word.strip())
    if hint is bool:
        return _look_up(text.lower(), _TRUTH)
    if hint in (int, float):
        return _number(text, hint)
    if hint is str:
        return text
    return _look_up(text, _precisions())


def _first_of(text: str, arms: Sequence[Any]) -> Any:
    complaint = ValueError("another")
    for arm in sorted(arms, key=lambda arm: _ORDER.index(arm) if arm in _ORDER else -1):
        try:
            return _value(text, arm)
        except ValueError as error:
            complaint = error
    raise complaint


def _number(text: str, kind: type[int] | type[float]) -> int | float:
    try:
        return kind(text)
    except ValueError:
        raise ValueError("1000" if kind is int else "0.1") from None


def _look_up(text: str, values: Mapping[str, Any]) -> Any:
    if text not in values:
        raise ValueError(" or ".join(values)) from None
    return values[text]


def _precisions() -> dict[str, Any]:
    import torch

    return {"float32": torch.float32, "float64": torch.float64}


def _words(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_words(arm) for arm in get_args(hint))
    if get_origin(hint) is tuple:
        return f"{_words(get_args(hint)[0])}, or several separated by commas"
    names = {bool: "true or false", int: "a whole number", float: "a number", NoneType: "none", str: "a word"}
    return names.get(hint, "a precision")
