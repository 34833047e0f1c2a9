"""Errors are sentences, keep their parts, and are what Python's own handlers expect."""

import copy
import pickle  # noqa: TID251  # errors cross process boundaries

import pytest

from edgewise.foundation import (
    DataError,
    DerivativeError,
    EdgewiseError,
    EvidenceError,
    FlowError,
    NounError,
    ObjectiveError,
    RecordError,
    SettingError,
    first_line,
)

ERRORS = [
    SettingError,
    ObjectiveError,
    DerivativeError,
    DataError,
    FlowError,
    RecordError,
    EvidenceError,
    NounError,
]


@pytest.mark.parametrize("error", [EdgewiseError, *ERRORS])
def test_given_why_fix(error: type[EdgewiseError]) -> None:
    raised = error("lr=-1", "a step size is positive", "Type lr=0.01")
    assert str(raised) == "lr=-1: a step size is positive. Type lr=0.01."
    assert (raised.given, raised.why, raised.fix) == ("lr=-1", "a step size is positive", "Type lr=0.01")
    for again in (copy.copy(raised), pickle.loads(pickle.dumps(raised))):
        assert type(again) is error
        assert str(again) == str(raised)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (SettingError, ValueError),
        (ObjectiveError, ValueError),
        (DerivativeError, ObjectiveError),
        (DataError, ValueError),
        (FlowError, ArithmeticError),
        (EvidenceError, LookupError),
        (RecordError, RuntimeError),
        (NounError, LookupError),
    ],
)
def test_caught_as_python_would(error: type[EdgewiseError], builtin: type[Exception]) -> None:
    assert issubclass(error, builtin)
    assert issubclass(error, EdgewiseError)


def test_the_hierarchy_drawn_is_the_hierarchy() -> None:
    from edgewise.foundation import errors

    drawn = [
        line for line in errors.__doc__.splitlines() if "Error" in line and ("──" in line or "    Edge" in line)
    ]
    named = {line.replace("│", " ").replace("├──", "").replace("└──", "").split()[0] for line in drawn}
    assert named == {error.__name__ for error in (EdgewiseError, *ERRORS)}


def test_somebody_elses_error_in_a_few_words() -> None:
    assert first_line(RuntimeError("one line.\nand another")) == "one line"
    assert first_line(RuntimeError()) == "RuntimeError"
    assert first_line(RuntimeError("many words " * 100)).endswith(" …")
    assert len(first_line(RuntimeError("many words " * 100))) <= 160
