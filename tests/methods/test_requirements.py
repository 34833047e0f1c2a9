"""Whatever is typed for a setting, of every method and schedule: it is taken, or refused in a sentence."""

import dataclasses
from contextlib import nullcontext, suppress

import numpy as np
import pytest
import torch

import edgewise.methods as room
from edgewise.foundation import SettingError
from edgewise.methods import (
    SAM,
    SGD,
    Adam,
    AdamW,
    AtEdgeRatio,
    Constant,
    Cosine,
    DecoupledWeightDecay,
    Drop,
    FrozenAdam,
    GradientDescent,
    HeavyBall,
    Muon,
    ParameterGroups,
    Projected,
    RMSProp,
    Schedule,
    Warmup,
    WeightDecay,
)
from edgewise.methods.requirements import shown
from reference.all_methods import CASES
from reference.bad_settings import BAD, as_a_user_types

LR = 0.05
METHODS = {name: case.make(LR) for name, case in CASES.items()}
SCHEDULES = {
    "constant": Constant(0.1),
    "drop": Drop(0.2, 0.1, step=3),
    "warm-up": Warmup(0.2, 5, initial=0.1),
    "warm-up to a schedule": Warmup(Cosine(0.2, 0.1, 30), 5),
    "cosine": Cosine(0.2, 0.1, 30),
}
# What is not negative or of a wrong kind after all, by field. A type checker says the rest.
FLAGS = {"nesterov", "replacement", "match_rms"}
NOTHING = {"batch_size", "largest", "shapes", "precision", "initial"}
ABOVE_ONE = {
    *("ratio", "rho", "decay", "weight_decay", "eps", "minimum", "growth", "largest", "lr"),
    *("momentum_decay", "lr_decay", "initial_sum"),
}
STEP_SIZES = {"value", "initial", "final"}
BELOW_ZERO = {"minimum"}
HUGE = {"batch_size", "every", "freeze_at", "seed", "step", "steps", "k"}


def legitimate(kind, name, value):
    """Whether that is a value of the field, so that nothing is to be refused."""
    if value is None:
        return name in NOTHING and not (name == "initial" and kind is not Warmup)
    if isinstance(value, bool):
        return name in FLAGS
    if isinstance(value, int):
        return (name in HUGE and value > 0) or (name in BELOW_ZERO and value == -1)
    if isinstance(value, float) and not isinstance(value, np.generic):
        return (value == 1.5 and name in ABOVE_ONE | STEP_SIZES) or (value == -0.5 and name in BELOW_ZERO)
    return value == () and name == "shapes" if isinstance(value, tuple) else False


# Every field of every method and schedule.
FIELDS = [
    pytest.param(value, field.name, id=f"{name}, {field.name}")
    for name, value in (METHODS | SCHEDULES).items()
    for field in dataclasses.fields(value)
]


def test_every_schedule_of_the_room_is_tried():
    exported = {noun for noun in map(room.__dict__.get, room.__all__) if isinstance(noun, type)}
    schedules = {noun for noun in exported if issubclass(noun, Schedule) and noun is not Schedule}
    assert schedules == set(map(type, SCHEDULES.values()))


@pytest.mark.parametrize(("value", "name"), FIELDS)
def test_a_setting_is_taken_or_refused_in_a_sentence(value, name):
    for label, bad in BAD.items():
        if legitimate(type(value), name, bad):
            # Nesterov's momentum excludes other settings.
            with suppress(SettingError) if name == "nesterov" else nullcontext():
                dataclasses.replace(value, **{name: bad})
            continue
        with pytest.raises(SettingError) as refused, as_a_user_types():
            pytest.fail(f"{label} was taken: {dataclasses.replace(value, **{name: bad})}")
        error = refused.value
        assert all(part and part == part.strip() and not part.endswith(".") for part in error.args), label
        assert len(error.args) == 3
        assert "\n" not in str(error)
        assert len(error.given) <= 120, label


@pytest.mark.parametrize("method", [pytest.param(method, id=name) for name, method in METHODS.items()])
def test_a_step_size_that_is_set_is_taken_or_refused_in_a_sentence(method):
    for label, bad in BAD.items():
        if label != "a half too much":
            with pytest.raises(SettingError, match=r"lr=.*Type lr=0\.01"), as_a_user_types():
                pytest.fail(f"{label} was taken: {method.with_step_size(bad)}")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: HeavyBall(0.1, beta="x"),
            "beta='x': it takes a float or an int, and that is of type str. "
            "Type beta=0.9, or use GradientDescent(lr) for no momentum.",
        ),
        (
            lambda: GradientDescent(None),
            "lr=None: it takes a float or an int, and that is of type NoneType. "
            "Type lr=0.01, or 2/S to put the edge of gradient descent at sharpness S.",
        ),
        (
            lambda: GradientDescent(10**400),
            "lr=100000000000000000...0000000000000000000: a step size is a positive, finite number. "
            "Type lr=0.01, or 2/S to put the edge of gradient descent at sharpness S.",
        ),
        (
            lambda: Adam(0.1, betas=0.9),
            "betas=0.9: it takes a tuple of two shares, (β₁, β₂). Type betas=(0.9, 0.999).",
        ),
        (
            lambda: AdamW(0.1, betas=(0.9,)),
            "betas=(0.9,): it takes a tuple of two shares, (β₁, β₂). Type betas=(0.9, 0.999).",
        ),
        (
            lambda: Adam(0.1, betas=(0.9, "0.999")),
            "betas[1]='0.999': it takes a float or an int, and that is of type str. Type betas=(0.9, 0.999).",
        ),
        (
            lambda: FrozenAdam(0.1, freeze_at="x"),
            "freeze_at='x': it takes a whole number, an int, and that is of type str. "
            "Type freeze_at=100, the number of steps that adapt.",
        ),
        (
            lambda: RMSProp(0.1, eps=True),
            "eps=True: it takes a float or an int, and that is of type bool. Type eps=1e-8.",
        ),
        (
            lambda: SAM(0.1, rho="x"),
            "rho='x': it takes a float or an int, and that is of type str. "
            "Type rho=0.05, or use GradientDescent(lr).",
        ),
        (
            lambda: SGD(0.1, 2.0),
            "batch_size=2.0: it takes a whole number, an int, and that is of type float. "
            "Type batch_size=32, or batch_size=None for all the data.",
        ),
        (
            lambda: SGD(0.1, 8, nesterov="yes"),
            "nesterov='yes': it is either True or False. Type nesterov=True or nesterov=False.",
        ),
        (
            lambda: Muon(0.1, shapes="abc"),
            "shapes='abc': it takes a tuple with the shape of every tensor, each a tuple of positive whole "
            "numbers. Type shapes=((8, 3), (8,)), or leave it out and take method.on(objective.space).",
        ),
        (
            lambda: Muon(0.1, precision=torch.int64),
            "precision=torch.int64: the iteration is done in floating-point numbers of some dtype. "
            "Type precision=torch.bfloat16, or precision=None for that of w.",
        ),
        (
            lambda: WeightDecay(0.1, 0.1),
            "WeightDecay around 0.1: that is not a method. "
            "Type WeightDecay(GradientDescent(0.01), …), or from_torch(optimizer) for one of torch.optim.",
        ),
        (
            lambda: DecoupledWeightDecay(Adam, 0.1),
            "DecoupledWeightDecay around the class Adam: that is not a method. Type "
            "DecoupledWeightDecay(GradientDescent(0.01), …), or from_torch(optimizer) for one of torch.optim.",
        ),
        (
            lambda: AtEdgeRatio(None),
            "AtEdgeRatio around None: that is not a method. "
            "Type AtEdgeRatio(GradientDescent(0.01), …), or from_torch(optimizer) for one of torch.optim.",
        ),
        (
            lambda: Projected(GradientDescent(0.1), k="2"),
            "k='2': it takes a whole number, an int, and that is of type str. Type k=10.",
        ),
        (
            lambda: Projected(GradientDescent(0.1), 2, every=0.5),
            "every=0.5: it takes a whole number, an int, and that is of type float. Type every=5.",
        ),
        (
            lambda: ParameterGroups(GradientDescent(0.1), (3,)),
            "methods=GradientDescent(lr=0.1): it takes a tuple, with an entry for every group. "
            "Type ParameterGroups((GradientDescent(0.1), GradientDescent(0.2)), sizes=(24, 8)).",
        ),
        (
            lambda: ParameterGroups((GradientDescent(0.1), 0.2), (3, 4)),
            "ParameterGroups around 0.2: that is not a method. Type ParameterGroups((GradientDescent(0.1), "
            "GradientDescent(0.2)), sizes=(24, 8)), or from_torch(optimizer) for one of torch.optim.",
        ),
        (
            lambda: ParameterGroups((GradientDescent(0.1),), (2.5,)),
            "sizes[0]=2.5: it takes a whole number, an int, and that is of type float. "
            "Type ParameterGroups((GradientDescent(0.1), GradientDescent(0.2)), sizes=(24, 8)).",
        ),
        (
            lambda: Cosine("a", 0.1, 5),
            "initial='a': it takes a float or an int, and that is of type str. "
            "Type initial=0.01, or 2/S to put the edge of gradient descent at sharpness S.",
        ),
        (
            lambda: Warmup(0.1, True),
            "steps=True: it takes a whole number, an int, and that is of type bool. Type steps=100.",
        ),
        (
            lambda: Drop(0.1, 0.01, step="a"),
            "step='a': it takes a whole number, an int, and that is of type str. "
            "Type the step of the drop, as in step=6000.",
        ),
    ],
)
def test_the_sentence_says_what_was_given_and_what_to_type(make, sentence):
    with pytest.raises(SettingError) as refused, as_a_user_types():
        make()
    assert str(refused.value) == sentence


def test_what_was_given_is_shown_on_one_short_line():
    assert shown(np.float64(0.5)) == "0.5"
    assert shown("x") == "'x'"
    assert len(shown("x" * 1000)) <= 60
    assert shown(torch.tensor([[1.0, 2.0], [3.0, 4.0]])) == "tensor([[1., 2.], [3., 4.]])"
    assert len(shown(list(range(1000)))) < 60
