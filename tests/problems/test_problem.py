from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from edgewise.data import Chebyshev, Digits, LinearMap, SyntheticImages, SyntheticText
from edgewise.foundation import SettingError
from edgewise.models import CNN, MLP, DeepLinear, Transformer
from edgewise.problems import CrossEntropy, Problem, SquaredError

DIGITS = Problem(
    name="small", data=Digits(n=30), model=MLP(widths=(5,)), criterion=SquaredError(), dtype=torch.float64, seed=2
)
TEXT = Problem(
    name="text",
    data=SyntheticText(n=7, context=6, vocabulary=6),  # as many tokens as classes: axes cannot be told by length
    model=Transformer(layers=1, width=8, heads=2),
    criterion=CrossEntropy(),
    dtype=torch.float64,
)


def test_the_objective_is_the_papers_loss_at_the_models_initial_parameters() -> None:
    objective = DIGITS.objective()
    data = Digits(n=30).load(torch.float64)
    module = MLP(widths=(5,)).build((1, 8, 8), 10, seed=2).double()
    start = torch.cat([p.detach().flatten() for p in module.parameters()])
    assert torch.equal(objective.start, start)
    outputs = module(data.inputs)
    loss = 0.5 * ((outputs - F.one_hot(data.targets, 10)) ** 2).sum(1).mean()
    at = objective.at(objective.start)
    torch.testing.assert_close(at.value, loss.detach())
    accuracy = (outputs.argmax(1) == data.targets).double().mean()
    torch.testing.assert_close(at.metrics["accuracy"], accuracy)
    gradient = torch.autograd.grad(loss, list(module.parameters()))
    torch.testing.assert_close(at.gradient, torch.cat([g.flatten() for g in gradient]))


def test_the_loss_over_tokens_is_their_mean_and_so_is_the_accuracy() -> None:
    objective = TEXT.objective()
    data = TEXT.data.load()
    module = TEXT.model.build((6,), 6, seed=0).double()
    logits = module(data.inputs)
    at = objective.at(objective.start)
    torch.testing.assert_close(at.value, F.cross_entropy(logits.flatten(0, 1), data.targets.flatten()).detach())
    torch.testing.assert_close(at.metrics["accuracy"], (logits.argmax(-1) == data.targets).double().mean())


def test_regression_has_no_accuracy() -> None:
    for data, model in ((Chebyshev(), MLP(widths=(3,))), (LinearMap(n=6, dimension=4), DeepLinear(depth=2))):
        objective = Problem(name="fit", data=data, model=model, criterion=SquaredError()).objective()
        assert not objective.at(objective.start).metrics


@pytest.mark.parametrize("problem", [DIGITS, TEXT, replace(DIGITS, criterion=CrossEntropy())])
@pytest.mark.parametrize("chunk_size", [1, 4])
def test_the_chunk_size_changes_nothing_but_rounding(problem: Problem, chunk_size: int) -> None:
    whole, chunked = problem.objective(), replace(problem, chunk_size=chunk_size).objective()
    v = torch.randn(whole.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours, theirs = whole.at(whole.start), chunked.at(chunked.start)
    torch.testing.assert_close(ours.value, theirs.value, rtol=1e-12, atol=0)
    torch.testing.assert_close(ours.metrics["accuracy"], theirs.metrics["accuracy"], rtol=1e-12, atol=0)
    for a, b in ((ours.gradient, theirs.gradient), (ours.hvp(v), theirs.hvp(v))):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12 * float(a.abs().max()))


def test_both_precisions_start_at_the_same_point() -> None:
    single, double = replace(DIGITS, dtype=torch.float32).objective(), DIGITS.objective()
    assert single.dtype == torch.float32
    assert torch.equal(single.start.double(), double.start)
    value = double.value(double.start)
    torch.testing.assert_close(single.value(single.start).double(), value, rtol=1e-5, atol=0)


def test_building_twice_gives_the_same_objective_and_another_seed_another_start() -> None:
    first, second = DIGITS.objective(), DIGITS.objective()
    assert torch.equal(first.start, second.start)
    assert torch.equal(first.value(first.start), second.value(second.start))
    assert not torch.equal(first.start, replace(DIGITS, seed=3).objective().start)


def test_batch_normalisation_needs_ghost_batches_and_is_a_mean_over_them() -> None:
    images = SyntheticImages(n=10, shape=(1, 8, 8), classes=3)
    model = CNN(channels=(2,), batch_norm=True)
    problem = Problem(name="normed", data=images, model=model, criterion=SquaredError(), dtype=torch.float64)
    with pytest.raises(SettingError, match=r"normed with BatchNorm and no ghost_batch: .*Type ghost_batch=10"):
        problem.objective()
    objective = replace(problem, ghost_batch=5).objective()
    data = images.load(torch.float64)
    module = model.build((1, 8, 8), 3, seed=0).double()
    weights = {name: parameter.detach() for name, parameter in module.named_parameters()}
    halves = [functional_call(module, weights, (data.inputs[half],)) for half in (slice(5), slice(5, 10))]
    loss = 0.5 * ((torch.cat(halves) - F.one_hot(data.targets, 3)) ** 2).sum(1).mean()
    torch.testing.assert_close(objective.value(objective.start), loss)
    other = replace(problem, ghost_batch=10).objective()
    assert not torch.allclose(other.value(other.start), loss, rtol=1e-6)


def test_provenance_says_what_was_read() -> None:
    data = Digits(n=30).load()
    assert DIGITS.provenance() == {
        "name": "digits",
        "source": data.source,
        "checksum": f"sha256:{data.checksum}",
        "samples": 30,
        "input_shape": [1, 8, 8],
        "classes": 10,
    }


def test_half_precision_is_refused() -> None:
    with pytest.raises(SettingError, match=r"dtype=torch\.bfloat16: .*at least single precision"):
        replace(DIGITS, dtype=torch.bfloat16)
