"""What the exhibits of critical2026sharpness rest on."""

import math

import numpy as np
import pytest
import torch
import xarray as xr

from edgewise.claims import Runs, judge
from edgewise.data import Digits
from edgewise.gallery.critical2026sharpness.claims import PANEL
from edgewise.gallery.critical2026sharpness.directional import RTOL, along
from edgewise.gallery.critical2026sharpness.panel import MULTIPLES, breaking, squared
from edgewise.gallery.critical2026sharpness.spikes import level_of, spikes
from edgewise.gallery.critical2026sharpness.watched import drawn
from edgewise.models import MLP
from edgewise.problems import digits_mlp

STEP_SIZE, SAMPLES = 0.3, 40


@pytest.fixture(scope="module")
def run() -> xr.Dataset:
    return along(STEP_SIZE, steps=20, every=10, samples=SAMPLES, seed=0)


def test_the_descent_is_plain_gradient_descent(run: xr.Dataset) -> None:
    objective = digits_mlp(n=SAMPLES, widths=(24, 24), dtype=torch.float64).objective()
    w, losses = objective.start, []
    for _ in range(21):
        losses.append(float(objective.value(w)))
        w = w - STEP_SIZE * objective.gradient(w)
    np.testing.assert_allclose(run["loss"], losses[::10], rtol=1e-12)


def test_the_first_measurement_is_what_the_definitions_say(run: xr.Dataset) -> None:
    objective = digits_mlp(n=SAMPLES, widths=(24, 24), dtype=torch.float64).objective()
    w = objective.start
    g = objective.gradient(w)
    h = 1e-5  # a central difference: an error of h² and of 1e-16/h
    curvature = g @ (objective.gradient(w + h * g) - objective.gradient(w - h * g)) / (2 * h) / (g @ g)
    assert float(run["curvature"][0]) == pytest.approx(float(curvature), rel=1e-6)
    eta = 2.0 / float(run["first_crossing"][0])
    back = float(objective.value(w - eta * g))
    assert back == pytest.approx(float(objective.value(w)), rel=1e-9)
    inside = [float(objective.value(w - share * eta * g)) for share in np.linspace(0.01, 0.99, 99)]
    assert max(inside) < back
    np.testing.assert_allclose(run["critical_sharpness"], run["first_crossing"], rtol=RTOL)


def test_no_curvature_along_a_direction_is_above_the_sharpness(run: xr.Dataset) -> None:
    # Lanczos was asked for 1e-4.
    assert bool((run["curvature"] <= run["sharpness"] * (1 + 1e-4)).all())


class TestSpikes:
    def test_the_level_is_the_end_of_the_line_and_the_noise_is_about_it(self) -> None:
        step = np.arange(80.0)
        # A falling line, and ±0.1 in an order that has no slope: residuals of 0.1 and 48 degrees of freedom.
        signs = np.tile([1.0, -1.0, -1.0, 1.0, 0.0], 16)
        loss = np.where(step < 30, 100.0, 5.0 - 0.02 * step + 0.1 * signs)
        level, noise = level_of(step, loss)
        # Of fifty signs forty are not zero; their slope is a tenth of the noise over all of the line at most.
        assert level == pytest.approx(5.0 - 0.02 * 79, abs=0.01)
        assert noise == pytest.approx(0.1 * math.sqrt(40 / 48), rel=0.01)

    @pytest.mark.parametrize(
        ("five", "expected"),
        [((1.31,) * 5, True), ((1.29,) * 5, False), ((2.6, 1, 1, 1, 1), True), ((2.4, 1, 1, 1, 1), False)],
    )
    def test_a_mean_of_five_is_compared_with_three_deviations(
        self, five: tuple[float, ...], expected: bool
    ) -> None:
        loss = np.array([1.0] * 10 + list(five) + [1.0] * 10)
        assert spikes(loss, 1.0, 0.1) is expected

    @pytest.mark.parametrize("value", [math.inf, math.nan])
    def test_what_is_not_finite_is_one(self, value: float) -> None:
        assert spikes(np.array([1.0] * 9 + [value]), 1.0, 0.1)


def test_the_squared_error_is_a_mean_over_samples_and_outputs() -> None:
    outputs = torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    assert float(squared(outputs, torch.tensor([0, 1]))) == pytest.approx((4 + 1) / 6)


STEPS, FURTHER, BATCH, LR = 40, 12, 8, 0.05


@pytest.fixture(scope="module")
def panel() -> xr.Dataset:
    return breaking(
        Digits(n=100), MLP(widths=(8,)), "cross-entropy", "SGD", {"lr": LR, "momentum": 0.9}, BATCH,
        STEPS, FURTHER, seed=3,
    )  # fmt: skip


class TestBreaking:
    @pytest.mark.parametrize("k", [0, 1])
    def test_each_multiple_goes_on_from_the_state_at_the_advice(self, panel: xr.Dataset, k: int) -> None:
        """The same training without a watch and without copies."""
        data = Digits(n=100).load()
        model = MLP(widths=(8,)).build(data.input_shape, data.outputs, seed=3)
        optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9)
        batches, _ = drawn(data, BATCH, 8 * BATCH, STEPS + FURTHER, seed=3)
        losses = []
        for step, (inputs, targets) in enumerate(batches):
            if step == STEPS:
                optimizer.param_groups[0]["lr"] = MULTIPLES[k] * float(panel["advised"])
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        np.testing.assert_array_equal(panel["loss_before"], losses[:STEPS])
        np.testing.assert_array_equal(panel["loss"][k], losses[STEPS:])

    def test_it_ends_with_two_in_a_row_that_break(self, panel: xr.Dataset) -> None:
        broke = panel["broke"].values
        tried = int(np.isfinite(broke).sum())
        assert np.isnan(broke[tried:]).all()
        assert np.isnan(panel["loss"].values[tried:]).all()
        level = level_of(np.arange(float(STEPS)), panel["loss_before"].values)
        assert [spikes(loss, *level) for loss in panel["loss"].values[:tried]] == list(broke[:tried] == 1)
        pairs = broke[: tried - 1] * broke[1:tried]
        assert not pairs[:-1].any()
        assert pairs[-1] == 1 or tried == len(MULTIPLES)

    def test_all_of_the_data_have_no_noise(self) -> None:
        """Then the loss is that of all samples, and the advice is by the sharpness alone."""
        run = breaking(
            Digits(n=40), MLP(widths=(8,)), "squared error", "SGD", {"lr": 0.1}, 40, 30, 6, seed=0
        )  # fmt: skip
        assert (np.diff(run["loss_before"]) < 0).all()
        assert float(run["advised"]) == float(run["by_sharpness"])


class TestClaimsOfThePanel:
    @staticmethod
    def runs(*trainings: tuple[float, float]) -> Runs:
        """Each with the multiple at which it breaks and with the sharpness's advice in units of the watch's."""
        multiple = np.array(MULTIPLES)
        return {
            str(i): xr.Dataset(
                {
                    "broke": ("multiple", np.where(multiple < at * 0.99, 0.0, 1.0)),
                    "advised": 0.3,
                    "by_sharpness": 0.3 * alone,
                },
                coords={"multiple": multiple},
            )
            for i, (at, alone) in enumerate(trainings)
        }

    def test_all_hold_where_the_advice_is_right_and_the_sharpness_is_not(self) -> None:
        runs = self.runs((1.0, 4.0), (math.sqrt(0.5), 4.0), (2.0, 1.0), (math.sqrt(8), 16.0))
        assert [claim.measure(runs) for claim in PANEL] == pytest.approx([0, 1, 1.5, 0.75 - 2.25])
        assert {judge(claim, {0: runs}).ruling for claim in PANEL} == {"holds"}

    def test_all_fail_where_the_advice_is_off_by_four_and_the_sharpness_is_not(self) -> None:
        runs = self.runs((0.25, 0.25), (0.5, 0.5), (4.0, 4.0), (0.25, 0.25))
        assert [claim.measure(runs) for claim in PANEL] == pytest.approx([3, 0, 0.375, 2])
        assert {judge(claim, {0: runs}).ruling for claim in PANEL} == {"fails"}

    def test_two_that_predict_alike_are_not_told_apart(self) -> None:
        assert judge(PANEL[-1], {0: self.runs((2.0, 1.0))}).ruling == "undecided"

    def test_what_never_breaks_breaks_beyond_everything(self) -> None:
        runs = self.runs((math.inf, 1.0))
        assert [claim.measure(runs) for claim in PANEL[:3]] == [0, 0, math.inf]

    def test_a_training_without_an_advice_leaves_all_undecided(self) -> None:
        runs = self.runs((1.0, math.nan))
        for claim in PANEL:
            verdict = judge(claim, {0: runs})
            assert verdict.ruling == "undecided"
            assert "the advice of 0: the watch could not tell any. Train longer" in verdict.why
