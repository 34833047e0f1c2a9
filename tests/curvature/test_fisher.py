import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.curvature import EmpiricalFisher, Fisher, GaussNewton, Likelihood
from edgewise.curvature.likelihood import draw_targets
from edgewise.foundation import ObjectiveError, SettingError, generator
from edgewise.objectives import Objective

# The losses ℓ_s of the samples at outputs f and targets y, written out, and their weights c_s in L = Σ c_s ℓ_s.
PER_SAMPLE = {
    "mlp, MSE": (lambda f, y: ((f - y) ** 2).mean(1), 1 / 9),
    "mlp, sum of squares": (lambda f, y: ((f - y) ** 2).sum(1), 1.0),
    "mlp, cross-entropy": (lambda f, y: -f.log_softmax(1)[torch.arange(9), y], 1 / 9),
    "mlp, soft labels": (lambda f, y: -(f.log_softmax(1) * y).sum(1), 1 / 9),
    "mlp, logistic": (lambda f, y: (F.softplus(f) - y * f).mean(1), 1 / 9),
    "cnn, cross-entropy": (lambda f, y: -f.log_softmax(1)[torch.arange(9), y], 1 / 9),
    # Tokens that count: the first column is ignored, and all of row 1.
    "attention, tokens": (
        lambda f, y: -f.log_softmax(1).transpose(1, 2)[y >= 0].gather(1, y[y >= 0, None])[:, 0],
        1 / 16,
    ),
}


@pytest.mark.parametrize("chunk_size", [1, 7, None])
@pytest.mark.parametrize("name", PER_SAMPLE)
def test_the_empirical_matrix_is_the_second_moment_of_per_sample_gradients(build, action, name, chunk_size):
    setting = build(name)
    loss, weight = PER_SAMPLE[name]
    total = weight * loss(setting.outputs(setting.w), setting.targets).sum()
    torch.testing.assert_close(total, setting.criterion(setting.outputs(setting.w), setting.targets))
    gradients = setting.per_sample_gradients(lambda f: loss(f, setting.targets))
    operator = EmpiricalFisher(setting.objective(chunk_size), setting.w)
    found, expected = action(operator, weight * gradients.T @ gradients)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_the_empirical_matrix_of_a_linear_model_in_closed_form(dense):
    # ℓ = (w·x − y)²: g = 2 (w·x − y) x, so F = (4/n) Σ r² x xᵀ with residuals r = (1, −2, 0)
    x = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]], dtype=torch.float64)
    y = torch.tensor([[-1.0], [2.0], [0.0]], dtype=torch.float64)
    objective = Objective.from_module(nn.Linear(2, 1, bias=False).double(), nn.MSELoss(), (x, y))
    expected = 4 / 3 * torch.tensor([[5.0, 4.0], [4.0, 4.0]], dtype=torch.float64)
    torch.testing.assert_close(dense(EmpiricalFisher(objective, torch.zeros(2).double())), expected)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("chunk_size", [1, 7, None])
def test_class_weights_weigh_the_samples(build, action, reduction, chunk_size):
    setting = build("mlp, cross-entropy")
    weights = torch.tensor([1.0, 0.0, 3.0], dtype=torch.float64)
    criterion = nn.CrossEntropyLoss(weight=weights, reduction=reduction, ignore_index=9)
    targets = setting.targets.clone()
    targets[2] = 9
    setting = dataclasses.replace(setting, criterion=criterion, targets=targets)
    kept = torch.arange(9) != 2
    gradients = setting.per_sample_gradients(lambda f: -f.log_softmax(1)[kept, targets[kept]])
    c = weights[targets[kept]] / (weights[targets[kept]].sum() if reduction == "mean" else 1.0)
    operator = EmpiricalFisher(setting.objective(chunk_size), setting.w)
    found, expected = action(operator, gradients.T @ (c[:, None] * gradients))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("chunk_size", [1, 4, None])
@pytest.mark.parametrize("combine", [torch.mean, torch.sum])
def test_a_criterion_of_ones_own_is_a_mean_or_a_sum_over_rows(build, action, combine, chunk_size):
    def rows(f: Tensor, y: Tensor) -> Tensor:
        return (f - y).pow(2).sum(1) + 0.1 * f.pow(4).sum(1)

    setting = dataclasses.replace(build("mlp, MSE"), criterion=lambda f, y: combine(rows(f, y)))
    gradients = setting.per_sample_gradients(lambda f: rows(f, setting.targets))
    weight = 1 / 9 if combine is torch.mean else 1.0
    operator = EmpiricalFisher(setting.objective(chunk_size), setting.w)
    found, expected = action(operator, weight * gradients.T @ gradients)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_very_few_rows(build, action, rows):
    setting = build("mlp, MSE")
    setting = dataclasses.replace(
        setting,
        criterion=lambda f, y: (f - y).pow(2).sum(1).mean(),
        inputs=setting.inputs[:rows],
        targets=setting.targets[:rows],
    )
    gradients = setting.per_sample_gradients(lambda f: (f - setting.targets).pow(2).sum(1))
    found, expected = action(EmpiricalFisher(setting.objective(), setting.w), gradients.T @ gradients / rows)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_a_perfect_fit_has_no_empirical_fisher_matrix_to_speak_of(build, dense):
    setting = build("mlp, MSE")
    setting = dataclasses.replace(
        setting, criterion=lambda f, y: (f - y).pow(2).mean(), targets=setting.outputs(setting.w).detach()
    )
    matrix = dense(EmpiricalFisher(setting.objective(), setting.w))
    assert matrix.abs().max() < 1e-28


@pytest.mark.parametrize(
    "name", ["mlp, MSE", "mlp, sum of squares", "mlp, cross-entropy", "mlp, logistic", "attention, tokens"]
)
def test_the_expectation_over_drawn_labels_is_the_gauss_newton_matrix(build, name):
    setting = build(name)
    objective = setting.objective()
    v = torch.randn(objective.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = float(v @ setting.gauss_newton @ v)
    draws = torch.stack([v @ (Fisher(objective, setting.w, seed=seed) @ v) for seed in range(60)])
    error = float(draws.std()) / math.sqrt(len(draws))
    assert abs(float(draws.mean()) - expected) < 4 * error
    assert error < 0.06 * expected  # so that a factor of two would be eight errors away


@pytest.mark.parametrize("name", ["mlp, cross-entropy", "mlp, soft labels", "attention, tokens"])
def test_it_is_the_empirical_matrix_at_the_drawn_labels(build, action, name, dense):
    setting = build(name)
    (chunk,) = setting.objective().terms.chunks()
    labels = draw_targets(chunk, setting.outputs(setting.w).detach(), generator(3, "fisher", "0"))
    drawn = dataclasses.replace(setting, targets=labels)
    found, expected = action(
        Fisher(setting.objective(), setting.w, seed=3), dense(EmpiricalFisher(drawn.objective(), setting.w))
    )
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-13)


def test_several_samples_average_and_continue_the_first(build, dense, action):
    setting = build("mlp, logistic")
    one, two = (dense(Fisher(setting.objective(), setting.w, samples=m)) for m in (1, 2))
    second = 2 * two - one  # the second draw alone
    assert torch.linalg.eigvalsh(second).min() > -1e-14
    assert (second - one).norm() > 1e-3 * one.norm()
    many, expected = action(Fisher(setting.objective(), setting.w, samples=40), setting.gauss_newton)
    first, _ = action(Fisher(setting.objective(), setting.w, samples=1), setting.gauss_newton)
    assert (many - expected).norm() < 0.5 * (first - expected).norm()


@pytest.mark.parametrize("name", ["mlp, MSE", "mlp, soft labels", "mlp, logistic", "attention, tokens"])
def test_the_draw_is_fixed_by_the_seed_and_not_by_the_chunks(build, name):
    setting = build(name)
    v = torch.ones(setting.w.numel(), dtype=torch.float64)
    products = [Fisher(setting.objective(size), setting.w, samples=2, seed=1) @ v for size in (None, 1, 7)]
    for product in products[1:]:
        torch.testing.assert_close(product, products[0], rtol=1e-10, atol=1e-13)
    operator = Fisher(setting.objective(), setting.w, samples=2, seed=1)
    assert torch.equal(operator @ v, products[0]) and torch.equal(operator @ v, products[0])
    assert not torch.allclose(Fisher(setting.objective(), setting.w, seed=2) @ v, products[0], rtol=1e-3)
    assert operator.products == 2


def test_drawing_leaves_the_global_generator_alone(build):
    before = torch.get_rng_state()
    setting = build("mlp, MSE")
    Fisher(setting.objective(), setting.w) @ torch.ones(setting.w.numel(), dtype=torch.float64)
    assert torch.equal(torch.get_rng_state(), before)


def test_float32_stays_within_its_rounding_of_float64(setting):
    single, double = setting.objective().to(torch.float32), setting.objective()
    v = torch.randn(double.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for kind in (EmpiricalFisher, Fisher):
        found, expected = kind(single, setting.w.float()) @ v.float(), kind(double, setting.w) @ v
        assert (found.double() - expected).norm() < 1000 * torch.finfo(torch.float32).eps * expected.norm()


class Poisson:
    """−log p of counts with rate exp(f), the mean over rows; it remembers what it drew."""

    def __init__(self) -> None:
        self.drawn: list[Tensor] = []

    def __call__(self, f: Tensor, y: Tensor) -> Tensor:
        return (f.exp() - y * f).sum(1).mean()

    def sample_targets(self, outputs: Tensor, generator: torch.Generator) -> Tensor:
        self.drawn.append(torch.poisson(outputs.exp(), generator=generator))
        return self.drawn[-1]


def test_a_criterion_that_draws_its_own_labels(build, action):
    criterion = Poisson()
    assert isinstance(criterion, Likelihood)
    setting = dataclasses.replace(build("mlp, MSE"), criterion=criterion)
    operator = Fisher(setting.objective(chunk_size=4), setting.w, samples=2)
    drawn = [torch.cat(criterion.drawn[d::2]) for d in range(2)]  # chunk by chunk, and draw by draw within
    both = [setting.per_sample_gradients(lambda f, y=y: (f.exp() - y * f).sum(1)) for y in drawn]
    found, expected = action(operator, sum(g.T @ g for g in both) / (2 * 9))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    many = Fisher(setting.objective(), setting.w, samples=200)
    found, expected = action(many, setting.gauss_newton)
    assert (found - expected).norm() < 0.25 * expected.norm()


@pytest.mark.parametrize("kind", [GaussNewton, EmpiricalFisher, Fisher])
def test_all_are_positive_semidefinite_here(build, dense, kind):
    setting = build("mlp, cross-entropy")
    eigenvalues = torch.linalg.eigvalsh(dense(kind(setting.objective(), setting.w)))
    assert eigenvalues[0] > -1e-14 and eigenvalues[-1] > 1e-3


def _refusal(kind, criterion, build, name="mlp, MSE") -> str:
    setting = dataclasses.replace(build(name), criterion=criterion)
    with pytest.raises(ObjectiveError) as caught:
        kind(setting.objective(), setting.w)
    return str(caught.value)


def test_a_criterion_that_compares_samples_has_no_per_sample_gradients(build):
    def contrast(f: Tensor, y: Tensor) -> Tensor:
        return (f @ f.T).logsumexp(1).mean()

    assert _refusal(EmpiricalFisher, contrast, build) == (
        "the empirical Fisher matrix with the criterion contrast: it is neither a mean nor a sum over the rows of "
        "the data, so that the loss of one sample depends on the others and there are no per-sample gradients. "
        "Use a mean over samples, or torch.nn.CrossEntropyLoss where tokens are ignored, or GaussNewton."
    )


def test_outputs_without_a_row_for_each_sample_are_refused():
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x).mean(0)

    data = torch.ones(3, 2), torch.zeros(3, 2)
    objective = Objective.from_module(Pooled(), lambda f, y: f.pow(2).sum(), data)
    with pytest.raises(ObjectiveError, match=r"answers 3 samples with outputs of shape \(2,\).*first axis"):
        EmpiricalFisher(objective, objective.start)


def test_a_criterion_without_a_distribution_is_refused(build):
    message = _refusal(Fisher, nn.SmoothL1Loss(), build)
    assert message.startswith("the Fisher matrix of the criterion SmoothL1Loss: it does not say from which")
    assert "sample_targets(outputs, generator)" in message


@pytest.mark.parametrize(
    ("name", "criterion", "setting_name"),
    [
        ("mlp, cross-entropy", nn.CrossEntropyLoss(label_smoothing=0.1), "label_smoothing"),
        ("mlp, cross-entropy", nn.CrossEntropyLoss(weight=torch.ones(3).double()), "weight"),
        ("mlp, logistic", nn.BCEWithLogitsLoss(pos_weight=torch.ones(2).double()), "pos_weight"),
        ("mlp, logistic", nn.BCEWithLogitsLoss(weight=torch.ones(2).double()), "weight"),
    ],
)
def test_reweighted_likelihoods_are_refused(build, name, criterion, setting_name):
    message = _refusal(Fisher, criterion, build, name)
    assert f"a {type(criterion).__name__} with {setting_name}: " in message
    assert message.endswith(f"Leave {setting_name} out, or use GaussNewton, which needs no labels to be drawn.")


def test_plain_functions_and_fewer_than_one_sample_are_refused(build):
    objective = Objective.from_function(lambda w: (w**2).sum(), size=2)
    with pytest.raises(ObjectiveError, match="the empirical Fisher matrix of a plain function"):
        EmpiricalFisher(objective, objective.start)
    with pytest.raises(ObjectiveError, match="the Fisher matrix of a plain function"):
        Fisher(objective, objective.start)
    setting = build("mlp, MSE")
    with pytest.raises(SettingError, match=r"samples=0: .*Type samples=1\."):
        Fisher(setting.objective(), setting.w, samples=0)
    with pytest.raises(SettingError, match="seed=-1"):
        Fisher(setting.objective(), setting.w, seed=-1)
