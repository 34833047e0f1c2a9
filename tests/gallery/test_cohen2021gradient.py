"""The measures of cohen2021gradient on records with known answers; its own descents against the library."""

import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr

from edgewise.data import Digits
from edgewise.dynamics import Silent, evolve
from edgewise.foundation import EvidenceError
from edgewise.gallery.cohen2021gradient.claims import (
    apart,
    batch_norm,
    destabilisation,
    edge,
    sharpening,
    stochastic,
)
from edgewise.gallery.cohen2021gradient.recipe.batch_norm import along
from edgewise.gallery.cohen2021gradient.recipe.destabilisation import through
from edgewise.gallery.cohen2021gradient.recipe.network import Enlarged, Permuted, dealt_anew, network
from edgewise.methods import GradientDescent
from edgewise.problems import Problem
from edgewise.reproduction import Scale

STEPS = np.arange(200)


def _tiny(width: int = 3) -> Problem:
    return dataclasses.replace(network(Scale.SMOKE, width=width, samples=6), dtype=torch.float64)


def _dense_sharpness(problem: Problem, w: torch.Tensor) -> float:
    """The largest eigenvalue of central differences of the gradient."""
    objective, h = problem.objective(), 1e-5
    rows = [
        (objective.gradient(w + h * e) - objective.gradient(w - h * e)) / (2 * h)
        for e in torch.eye(len(w), dtype=w.dtype)
    ]
    hessian = torch.stack(rows)
    return float(torch.linalg.eigvalsh((hessian + hessian.T) / 2)[-1])


def _run(series: dict[str, np.ndarray], step_size: float = 0.1) -> xr.Dataset:
    steps = np.arange(len(next(iter(series.values()))))
    return xr.Dataset(
        {
            **{name: (("process", "step"), values[None]) for name, values in series.items()},
            "step_size": (("process", "step"), np.full((1, len(steps)), step_size)),
        },
        coords={"process": ["gd"], "step": steps, "time": (("process", "step"), (step_size * steps)[None])},
    )


def _quadratic(curvature: float, critical: float) -> xr.Dataset:
    """A descent of ½λx² that begins to be looked at as it passes its edge, with a drift along u."""
    place = 1e-3 * (1 - 2 * curvature / critical) ** STEPS + 0.5 - 1e-2 * STEPS
    return xr.Dataset(
        {
            "loss": ("step", place**2),
            "sharpness": ("step", np.full(len(STEPS), curvature)),
            "place": ("step", place),
            "critical_curvature": critical,
            "crossing": 0,
        },
        coords={"step": STEPS},
    )


class TestDestabilisation:
    def test_a_quadratic_grows_as_a_quadratic_does(self) -> None:
        # The highest sharpness is met at once if all are equal, so it rises by what rounding cannot hide.
        run = _quadratic(22.0, 20.0)
        run["sharpness"] = run["sharpness"] * (1 + 1e-9 * run["step"])
        assert destabilisation.growth({"gd": run}) == pytest.approx(1.0, abs=1e-6)
        assert destabilisation.flips({"gd": run}) == 1.0

    def test_the_two_step_mean_takes_a_drift_away(self) -> None:
        steps, wave = destabilisation.oscillation(_quadratic(22.0, 20.0))
        factor = 1 - 2 * 22.0 / 20.0
        exact = 1e-3 * factor**steps * (2 - 1 / factor - factor) / 4
        assert wave == pytest.approx(exact, rel=1e-6, abs=1e-12)

    def test_a_run_that_never_crosses_is_no_evidence(self) -> None:
        run = _quadratic(10.0, 20.0)
        run["crossing"] = -1
        with pytest.raises(EvidenceError, match=r"the crossing of 2/η: the sharpness never gets there"):
            destabilisation.flips({"gd": run})

    def test_the_descent_is_that_of_the_library(self) -> None:
        problem = _tiny()
        record = through(problem, critical=12, steps=30)
        run = evolve(GradientDescent(2 / 12), dealt_anew(problem).objective(), 30, progress=Silent())
        assert record["loss"].values == pytest.approx(run.dataset["loss"].values[0], rel=1e-12)

    def test_the_sharpness_is_that_of_differences_of_gradients(self) -> None:
        problem = _tiny()
        start = dealt_anew(problem).objective().start
        record = through(problem, critical=12, steps=0)
        assert record["sharpness"].item(0) == pytest.approx(_dense_sharpness(dealt_anew(problem), start), rel=1e-3)

    def test_the_place_is_measured_from_the_crossing(self) -> None:
        record = through(_tiny(), critical=2, steps=5)
        assert int(record["crossing"]) == 0
        assert record["place"].item(0) == 0.0


class TestAlongTheStep:
    def test_it_is_the_largest_of_nine_places(self) -> None:
        problem, critical = _tiny(width=1), 5
        record = along(problem, critical, steps=0, every=1)
        objective = dealt_anew(problem).objective()
        gradient = objective.gradient(objective.start)
        curvatures = [
            _dense_sharpness(dealt_anew(problem), objective.start - s * 2 / critical * gradient)
            for s in np.linspace(0, 1, 9)
        ]
        assert record["sharpness"].item() == pytest.approx(curvatures[0], rel=1e-2)
        assert record["sharpness_along_step"].item() == pytest.approx(max(curvatures), rel=1e-2)

    def test_speed_is_the_first_step_above_the_goal(self) -> None:
        run = _run({"accuracy": np.array([0.1, 0.99, 1.0, 0.9])})
        assert batch_norm.steps_to_fit({"gd": run}) == 2
        with pytest.raises(EvidenceError, match=r"the steps to an accuracy of 99 %: the run ends at 0\.500"):
            batch_norm.steps_to_fit({"gd": _run({"accuracy": np.array([0.1, 0.5])})})


def test_labels_are_dealt_out_and_nothing_else() -> None:
    plain, dealt = Digits(n=40).load(), Permuted(data=Digits(n=40)).load()
    assert torch.equal(plain.inputs, dealt.inputs)
    assert not torch.equal(plain.targets, dealt.targets)
    assert torch.equal(plain.targets.sort().values, dealt.targets.sort().values)
    assert dealt.source.endswith("with their labels dealt out anew")


def test_a_pixel_becomes_a_square() -> None:
    small, large = Digits(n=2).load(), Enlarged(data=Digits(n=2)).load()
    assert large.input_shape == (1, 32, 32)
    assert torch.allclose(torch.nn.functional.avg_pool2d(large.inputs, 4), small.inputs)


def test_the_spread_is_that_between_the_curves() -> None:
    rising = np.linspace(10.0, 20.0, 101)
    runs = {
        "a": _run({"sharpness": rising, "critical_curvature": np.full(101, 20.0)}),
        "b": _run({"sharpness": 1.1 * rising, "critical_curvature": np.full(101, 40.0)}),
    }
    assert edge.spread_in_time(runs) == pytest.approx(0.1 / 1.05, rel=1e-6)
    with pytest.raises(EvidenceError, match="the spread of 1 runs"):
        edge.spread_in_time({"a": runs["a"]})


def test_the_threshold_of_gradient_descent_is_two_over_the_step_size() -> None:
    run = _run({"sharpness": np.array([10.0, 41.0, 39.0, 41.0]), "critical_curvature": np.full(4, 38.0)})
    assert edge.times_gradient_descent({"Polyak": run}) == pytest.approx(41.0 * 0.1 / 2)


class TestCut:
    def _run(self) -> xr.Dataset:
        critical = np.where(np.arange(240) < 120, 20.0, 30.0)
        sharpness = np.concatenate([np.full(120, 20.2), np.linspace(20, 31, 60), np.full(60, 29.5)])
        return _run({"critical_curvature": critical, "sharpness": sharpness})

    def test_moments(self) -> None:
        run = self._run()
        moments = (apart.shortly_before, apart.last_before, apart.cut, apart.shortly_after)
        assert [moment(run, None) for moment in moments] == pytest.approx([110, 119, 120, 130])
        assert 170 < apart.second_edge(run, None) < 180

    def test_rise(self) -> None:
        assert apart.rise_after({"cut": self._run()}) == pytest.approx((20 + 11 * 10 / 59) / 20)

    def test_no_cut(self) -> None:
        run = _run({"critical_curvature": np.full(5, 20.0), "sharpness": np.full(5, 20.0)})
        with pytest.raises(EvidenceError, match="the cut of the step size: the run ends before it"):
            apart.cut(run, None)


def test_departure_is_counted_from_the_crossing() -> None:
    steps = 31
    sharpness = np.full((2, steps), np.nan)
    sharpness[0] = np.where(np.arange(steps) < 20, 10.0, 21.0)
    distance = np.full((2, steps), np.nan)
    distance[1] = np.where(np.arange(steps) <= 20, 1.0, 9.8)
    run = xr.Dataset(
        {
            "sharpness": (("process", "step"), sharpness),
            "distance": (("process", "step"), distance),
            "critical_curvature": (("process", "step"), np.full((2, steps), 20.0)),
        },
        coords={"process": ["gd", "gradient flow"], "step": np.arange(steps)},
    )
    assert apart.departure({"tanh": run}) == pytest.approx((1 + 10 * 9.8) / 11)
    with pytest.raises(EvidenceError, match="the run ends before"):
        apart.departure({"tanh": run.isel(step=slice(0, 25))})


def test_orders_of_batches_are_judged_for_each_step_size() -> None:
    def plateau(level: float) -> xr.Dataset:
        return _run({"sharpness": np.full(10, level), "loss": np.ones(10)})

    runs = {f"η = 2/20, batch {b}": plateau(s) for b, s in ((2, 5.0), (8, 9.0), (32, 20.0))}
    assert stochastic.weakest_order(runs) == pytest.approx(1.0)
    other = {f"η = 2/30, batch {b}": plateau(s) for b, s in ((2, 9.0), (8, 5.0), (32, 20.0))}
    assert stochastic.weakest_order({**runs, **other}) == pytest.approx(0.5)


def test_what_is_kept_of_growth() -> None:
    runs = {str(i): _run({"sharpness": np.array([1.0, high])}) for i, high in enumerate((5.0, 3.0, 2.0))}
    assert sharpening.excess_kept(runs) == pytest.approx(1 / 4)
    still = {"narrowest": _run({"sharpness": np.array([1.0, 1.0])}), **runs}
    with pytest.raises(EvidenceError, match="no share of it can be kept"):
        sharpening.excess_kept(still)
    assert sharpening.peak(runs["0"], None) == 1


def test_depths_are_compared_by_means_and_their_errors() -> None:
    highest = {"1 hidden": (4.0, 6.0), "2 hidden": (9.0, 11.0), "3 hidden": (8.0, 14.0)}
    runs = {
        f"{depth}, start {i}": _run({"sharpness": np.array([1.0, value])})
        for depth, values in highest.items()
        for i, value in enumerate(values)
    }
    assert sharpening.rises(sharpening.HIGHEST)(runs) == sharpening.rises(sharpening.GROWTH)(runs) == 1.0
    # Means 5, 10 and 11; variances of them 1, 1 and 9.
    assert sharpening.clearest_rise(runs) == pytest.approx(1 / np.sqrt(10))
