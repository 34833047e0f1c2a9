"""Whatever is typed for a setting, of every flow and integrator: it is taken, or refused in a sentence."""

import dataclasses
import inspect

import numpy as np
import pytest

import edgewise.flows as room
from edgewise.flows import (
    RK4,
    RKC2,
    RKC3,
    ROCK4,
    CentralFlow,
    ConstrainedFlow,
    EdgeFlow,
    Flow,
    GradientFlow,
    Integrator,
    LimitingFlow,
    PredictedDynamics,
    RodFlow,
    StableFlow,
)
from edgewise.foundation import SettingError
from edgewise.methods import GradientDescent, NormalizedGD
from reference.bad_settings import BAD, as_a_user_types

GD = GradientDescent(0.1)
VALUES = [
    GradientFlow(),
    StableFlow(GD),
    CentralFlow(GD),
    ConstrainedFlow(GD),
    PredictedDynamics(GD),
    EdgeFlow(GD),
    RodFlow(GD),
    LimitingFlow(NormalizedGD(0.1)),
    RK4(),
    RKC2(),
    RKC3(),
    ROCK4(),
]
COUNTS = {"substeps", "modes", "max_stages"}
FIELDS = [
    pytest.param(value, field.name, id=f"{type(value).__name__}, {field.name}")
    for value in VALUES
    for field in dataclasses.fields(value)
]


def legitimate(name, value):
    """Whether that is a value of the field, so that nothing is to be refused."""
    if isinstance(value, bool):
        return name == "exact"
    if value is None:
        return name == "modes"
    if isinstance(value, float) and not isinstance(value, np.generic):
        return value == 1.5 and name in {"atol", "alpha"}
    return value == 10**400 and name in COUNTS if isinstance(value, int) else False


def test_every_flow_and_integrator_of_the_room_is_tried():
    exported = {noun for noun in map(room.__dict__.get, room.__all__) if inspect.isclass(noun)}
    nouns = {noun for noun in exported if issubclass(noun, Flow | Integrator) and not inspect.isabstract(noun)}
    assert nouns == set(map(type, VALUES))


@pytest.mark.parametrize(("value", "name"), FIELDS)
def test_a_setting_is_taken_or_refused_in_a_sentence(value, name):
    for label, bad in BAD.items():
        if legitimate(name, bad) or (name == "method" and bad is None and type(value) is GradientFlow):
            dataclasses.replace(value, **{name: bad})
            continue
        with pytest.raises(SettingError) as refused, as_a_user_types():
            pytest.fail(f"{label} was taken: {dataclasses.replace(value, **{name: bad})}")
        error = refused.value
        assert all(part and not part.endswith(".") for part in error.args), label
        assert len(error.args) == 3
        assert len(error.given) <= 120, label


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: GradientFlow(integrator="rk4"),
            "integrator='rk4': an integrator takes the steps, and that is of type str. "
            "Type integrator=RK4(), or leave it out.",
        ),
        (
            lambda: GradientFlow(method="gd"),
            "method='gd': the flow keeps the time of a method, and that is none. "
            "Type method=GradientDescent(0.01), or leave it out.",
        ),
        (
            lambda: GradientFlow(rtol="a"),
            "rtol='a': a tolerance is a number. Type rtol=1e-3, and name the method: method=….",
        ),
        (
            lambda: GradientFlow(atol=float("inf")),
            "atol=inf: an absolute tolerance is finite. Type atol=0.0.",
        ),
        (
            lambda: CentralFlow(GD, modes="a"),
            "modes='a': it is counted in an int. Type modes=1, or leave it out.",
        ),
        (
            lambda: CentralFlow(GD, substeps=None),
            "substeps=None: it is counted in an int. Type substeps=1, or leave it out.",
        ),
        (
            lambda: PredictedDynamics(GD, exact="yes"),
            "exact='yes': it is either True or False. Type exact=True, or leave it out.",
        ),
        (
            lambda: RK4("1"),
            "alpha='1': a step of α/S is stable on the negative real axis for 0 < α ≤ 2.785. Type alpha=1.0.",
        ),
        (
            lambda: RKC2(10.0),
            "max_stages=10.0: stages are counted in an int. Type max_stages=150.",
        ),
        (
            lambda: EdgeFlow(GD, displacement="a"),
            "displacement='a': an oscillation grows only out of one that is there, and is small beside the "
            "parameters. Type displacement=1e-5, a share of the length of w.",
        ),
    ],
)
def test_the_sentence_says_what_was_given_and_what_to_type(make, sentence):
    with pytest.raises(SettingError) as refused, as_a_user_types():
        make()
    assert str(refused.value) == sentence
