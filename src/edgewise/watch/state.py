"""Readings as plain lists that JSON can hold, and back."""

import math
from dataclasses import fields
from typing import Any

from edgewise.foundation import JSON
from edgewise.watch.reading import Reading

_NAMES = tuple(field.name for field in fields(Reading))
_INTEGERS, _WORDS = ("step",), ("kind",)


def reading_to(row: Reading) -> list[JSON]:
    """A row; numbers that JSON does not have are words."""
    return [_plain(getattr(row, name)) for name in _NAMES]


def reading_from(row: list[Any]) -> Reading:
    """The reading of a row.

    Raises:
        ValueError: if it is none.
    """
    values = {name: _typed(name, value) for name, value in zip(_NAMES, row, strict=True)}
    return Reading(**values)


def _plain(value: Any) -> JSON:
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def _typed(name: str, value: Any) -> Any:
    if name in _WORDS or value is None:
        return value
    return int(value) if name in _INTEGERS else float(value)
