import json
import os
from dataclasses import replace
from typing import Any

import pytest
import torch

from edgewise.data import CIFAR10, CharacterText, Chebyshev, Data, SyntheticImages, SyntheticText
from edgewise.foundation import SettingError, decode, encode
from edgewise.problems import (
    NAMES,
    CrossEntropy,
    Setting,
    SquaredError,
    cifar10_cnn,
    cifar10_mlp,
    cifar10_resnet,
    cifar10_vgg,
    cifar10_vit,
    deep_linear,
    digits_cnn,
    digits_mlp,
    named,
    options_of,
    text_gpt,
)

FOLDER = os.environ.get("EDGEWISE_DATA")
needs_data = pytest.mark.skipif(FOLDER is None, reason="EDGEWISE_DATA is not set: no real data on this machine")

COLOUR, GREY = SyntheticImages(n=12), SyntheticImages(n=12, shape=(1, 28, 28))
SMALL: dict[str, tuple[dict[str, Any], Data | None]] = {
    "chebyshev_mlp": ({"width": 5}, None),
    "cifar10_cnn": ({"channels": (2, 2), "batch_norm": True, "pooling": "average"}, COLOUR),
    "cifar10_mlp": ({"widths": (4,), "parameterization": "ntk"}, COLOUR),
    "cifar10_resnet": ({"blocks": 1, "width": 2}, COLOUR),
    "cifar10_vgg": ({"width": 1, "loss": "ce"}, COLOUR),
    "cifar10_vit": ({"width": 8, "layers": 1, "heads": 2, "patch": 8}, COLOUR),
    "deep_linear": ({"n": 8, "dimension": 6, "depth": 3}, None),
    "digits_cnn": ({"n": 12, "channels": (2,), "loss": "ce"}, None),
    "digits_mlp": ({"n": 12, "widths": (4,), "classes": (3, 8)}, None),
    "fashion_mnist_mlp": ({"widths": (4,)}, GREY),
    "mnist_mlp": ({"widths": (4,), "loss": "ce"}, GREY),
    "text_gpt": ({"width": 8, "layers": 1, "heads": 2}, SyntheticText(n=4, context=6, vocabulary=9)),
}


def test_every_problem_is_tried_here() -> None:
    assert set(SMALL) == set(NAMES)
    assert list(NAMES) == sorted(NAMES)
    assert all(NAMES[name]().name == name for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_problem_builds_its_objective(name: str) -> None:
    options, data = SMALL[name]
    problem = named(name, dtype=torch.float64, seed=1, **options)
    problem = problem if data is None else replace(problem, data=data)
    objective = problem.objective()
    at = objective.at(objective.start)
    assert float(at.value) > 0
    v = torch.ones_like(objective.start)
    assert at.hvp(v).isfinite().all()
    regression = name in ("chebyshev_mlp", "deep_linear")
    assert set(at.metrics) == (set() if regression else {"accuracy"})


@pytest.mark.parametrize("name", NAMES)
def test_every_problem_can_be_written_down_and_read_back(name: str) -> None:
    for problem in (NAMES[name](), named(name, seed=3, dtype=torch.float64, chunk_size=7, **SMALL[name][0])):
        assert decode(json.loads(json.dumps(encode(problem)))) == problem


def test_settings_reach_the_problem() -> None:
    for name in NAMES:
        problem = named(name, seed=5, dtype=torch.float64, device="meta", chunk_size=3, ghost_batch=9)
        assert (problem.seed, problem.dtype, problem.device) == (5, torch.float64, "meta")
        assert (problem.chunk_size, problem.ghost_batch) == (3, 9)


def test_options_reach_data_model_and_criterion() -> None:
    problem = cifar10_mlp(
        n=7,
        classes=("cat", "dog"),
        widths=(3,),
        activation="relu",
        parameterization="ntk",
        loss="ce",
        folder="here",
    )
    assert problem.data == CIFAR10(n=7, classes=("cat", "dog"), folder="here")
    assert repr(problem.model) == "MLP(widths=(3,), activation='relu', parameterization='ntk', bias=True)"
    assert problem.criterion == CrossEntropy()
    problem = text_gpt(n=3, context=9, layers=1, width=8, heads=1, activation="relu", path="a.txt")
    assert problem.data == CharacterText(n=3, context=9, path="a.txt")
    assert repr(problem.model) == "Transformer(layers=1, width=8, heads=1, expansion=4, activation='relu')"
    assert "pooling='max'" in repr(digits_cnn(pooling="max").model)
    assert "patch=8" in repr(cifar10_vit(patch=8).model)
    assert "depth=2" in repr(deep_linear(depth=2).model)
    assert named("chebyshev_mlp", degree=5, n=30).data == Chebyshev(degree=5, n=30)


def test_the_defaults_are_those_of_the_paper() -> None:
    problem = cifar10_mlp()
    assert (problem.data, problem.criterion) == (CIFAR10(n=1000), SquaredError())
    module = problem.model.build((3, 32, 32), 10, seed=0)
    assert sum(p.numel() for p in module.parameters()) == 656_810


def test_batch_normalisation_brings_the_papers_ghost_batches() -> None:
    assert cifar10_cnn(batch_norm=True).ghost_batch == 1000
    assert cifar10_vgg(batch_norm=True, ghost_batch=50).ghost_batch == 50
    assert cifar10_resnet().ghost_batch == 1000
    assert cifar10_resnet(batch_norm=False).ghost_batch is None
    assert digits_cnn(batch_norm=True).ghost_batch == 1000


def test_unknown_names_and_options_are_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingError, match=r"the problem 'imagenet': .*Choose from chebyshev_mlp, cifar10_cnn"):
        named("imagenet")
    with pytest.raises(SettingError, match=r"the option depth=3 for digits_mlp: .*Choose from n, classes, widths"):
        named("digits_mlp", depth=3)


def test_options_are_those_of_the_recipe_and_the_setting() -> None:
    assert options_of("deep_linear") == ("n", "dimension", "depth", "data_seed", *Setting.__annotations__)


def test_a_few_steps_on_digits_lower_the_loss() -> None:
    objective = digits_mlp(n=200, widths=(16,)).objective()
    w = objective.start
    before = float(objective.value(w))
    for _ in range(20):
        w = w - 0.05 * objective.gradient(w)
    assert float(objective.value(w)) < 0.7 * before


@needs_data
def test_real_cifar10_at_the_start() -> None:
    problem = cifar10_mlp(n=100, folder=FOLDER)
    objective = problem.objective()
    # Outputs start small, so the loss starts near that of zero outputs: ½ ‖one-hot‖² = ½.
    assert 0.5 < float(objective.value(objective.start)) < 0.8
    assert str(FOLDER).rstrip("/").rpartition("/")[2] in problem.provenance()["source"]


@needs_data
def test_real_text_at_the_start() -> None:
    problem = text_gpt(n=4, layers=1, width=16, heads=2)
    objective = problem.objective()
    at = objective.at(objective.start)
    # 65 characters, nothing learnt yet: near log 65 = 4.17.
    assert 4.0 < float(at.value) < 4.8
