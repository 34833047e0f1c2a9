"""Every method can be typed, runs, and is read in its own metric."""

from typing import get_args

import pytest

from conftest import TINY, Typed, newest
from edgewise import methods
from edgewise.cli.options.method import MethodName, MethodOptions
from edgewise.methods import Adagrad, Method, NAdam

# Wrappers are other options, and frozen Adam needs a step to freeze at.
NOT_TYPED = {
    "Method",
    "AtEdgeRatio",
    "DecoupledWeightDecay",
    "FrozenAdam",
    "ParameterGroups",
    "Projected",
    "WeightDecay",
}


def test_every_method_can_be_typed() -> None:
    kinds = (value for value in vars(methods).values() if isinstance(value, type) and issubclass(value, Method))
    batch = {"sgd": 4}
    offered = {
        type(MethodOptions(method=name, lr=0.1, batch_size=batch.get(name)).build())
        for name in get_args(MethodName)
    }
    assert {kind.__name__ for kind in offered} == {kind.__name__ for kind in kinds} - NOT_TYPED


@pytest.mark.parametrize(
    ("words", "method"),
    [
        (("nadam", "--lr", 0.01, "--beta", 0.8, "--beta2", 0.99), NAdam(0.01, (0.8, 0.99))),
        (("adagrad", "--lr", 0.01, "--eps", 1e-6), Adagrad(0.01, eps=1e-6)),
    ],
    ids=["nadam", "adagrad"],
)
def test_an_adaptive_method_is_read_in_its_metric(words: tuple[object, ...], method: object, typed: Typed) -> None:
    answer = typed("run", *TINY, "--method", *words, "--steps", 2)
    assert answer.code == 0, answer.err
    run = newest()
    assert run.recipe.processes == {words[0]: method}
    assert "effective_sharpness" in run.dataset
    assert bool((run.dataset["critical_curvature"] > 0).all())


def test_the_edge_of_nadam_is_no_multiple_of_the_step_size_alone(typed: Typed) -> None:
    answer = typed("run", *TINY, "--method", "nadam", "--critical", 9)
    assert answer.code == 2
    assert (
        "--critical 9 with --method nadam: where it loses stability is not a multiple of 1/η alone" in answer.err
    )


def test_help_lists_them(typed: Typed) -> None:
    words = typed("run", "--help").out.replace("\n", " ")
    assert "nadam" in words
    assert "adagrad" in words
