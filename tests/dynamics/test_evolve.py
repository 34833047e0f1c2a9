"""The verb: known answers row by row, several processes in lock step, and what is refused."""

import gc
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.dynamics import Frame, Probe, Progress, Readings
from edgewise.foundation import RecordError, SettingError
from edgewise.methods import Method
from edgewise.problems import digits_mlp
from edgewise.records import Series
from reference.runs import assert_same_readings, bowl, bowl_loss, final_point, network


@dataclass(frozen=True, slots=True)
class Failing(Probe):
    """A probe that cannot read step 3."""

    every: int = 1

    def series(self) -> tuple[Series, ...]:
        return (Series("failing"),)

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        if frame.step == 3:
            raise ZeroDivisionError
        return {"failing": 1.0}, None


class Listener(Progress):
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def begin(self, step: int, steps: int) -> None:
        self.heard.append(("begin", step, steps))

    def row(self, step: int, rows: Mapping[str, Readings]) -> None:
        self.heard.append((step, sorted(rows), {name: row["loss"] for name, row in rows.items()}))

    def end(self) -> None:
        self.heard.append("end")


def test_gradient_descent_on_a_bowl_is_the_closed_form() -> None:
    curvatures, lr, steps = (10.0, 4.0, 1.0), 0.15, 25
    run = ew.evolve(
        {"gd": ew.GradientDescent(lr)}, bowl(*curvatures), steps, [ew.Sharpness(k=2), ew.GradientNorm()]
    )
    one = run.dataset.sel(process="gd")
    t = np.arange(steps + 1)
    np.testing.assert_array_equal(one.step, t)
    np.testing.assert_allclose(one.time, t * lr, rtol=1e-14)
    np.testing.assert_array_equal(one.step_size, lr)
    np.testing.assert_array_equal(one.critical_curvature, 2 / lr)
    np.testing.assert_allclose(one.loss, bowl_loss(curvatures, lr, steps), rtol=1e-12)
    np.testing.assert_allclose(one.sharpness, np.tile([10.0, 4.0], (steps + 1, 1)), rtol=1e-12)
    np.testing.assert_allclose(one.edge_ratio, one.sharpness * lr / 2, rtol=1e-14)
    np.testing.assert_array_equal(one.sharpness_converged, 1.0)
    assert bool((abs(one.sharpness - [10.0, 4.0]) <= one.sharpness_bound).all())
    gradient = [np.linalg.norm(np.array(curvatures) * (1 - lr * np.array(curvatures)) ** s) for s in t]
    np.testing.assert_allclose(one.gradient_norm, gradient, rtol=1e-12)
    np.testing.assert_allclose(final_point(run, "gd"), (1 - lr * np.array(curvatures)) ** steps, rtol=1e-12)


def test_heavy_ball_is_its_recursion() -> None:
    lr, beta, curvature = 0.02, 0.9, 30.0
    run = ew.evolve({"hb": ew.HeavyBall(lr, beta)}, bowl(curvature), 30)
    w, v, losses = 1.0, 0.0, []
    for _ in range(31):
        losses.append(0.5 * curvature * w**2)
        v = beta * v + curvature * w
        w -= lr * v
    np.testing.assert_allclose(run.loss.values[0], losses, rtol=1e-10)
    np.testing.assert_array_equal(run.critical_curvature, (2 + 2 * beta) / lr)


def test_no_step_is_one_row() -> None:
    run = ew.evolve(ew.GradientDescent(0.1), bowl(2.0), 0)
    assert run.loss.values.tolist() == [[1.0]]
    assert run.outcomes["GradientDescent"].sentence == "Took all 0 steps."


def test_a_single_method_is_called_by_its_class() -> None:
    run = ew.evolve(ew.HeavyBall(0.1, 0.5), bowl(2.0), 3)
    assert run.dataset.process.values.tolist() == ["HeavyBall"]
    assert run.recipe.processes == {"HeavyBall": ew.HeavyBall(0.1, 0.5)}


def test_a_schedule_moves_the_clock_and_the_critical_curvature() -> None:
    run = ew.evolve({"gd": ew.GradientDescent(ew.Drop(0.1, 0.05, step=4))}, bowl(3.0), 8, [ew.Sharpness()])
    one = run.dataset.sel(process="gd")
    np.testing.assert_array_equal(one.step_size, [0.1] * 4 + [0.05] * 5)
    np.testing.assert_array_equal(one.critical_curvature, [20.0] * 4 + [40.0] * 5)
    np.testing.assert_allclose(one.time, [0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6], rtol=1e-14)
    np.testing.assert_allclose(one.edge_ratio.sel(rank=1), 3.0 / one.critical_curvature, rtol=1e-12)


def test_one_process_diverges_alone() -> None:
    curvatures = (10.0, 1.0)
    methods = {"low": ew.GradientDescent(0.1), "high": ew.GradientDescent(0.5), "mid": ew.GradientDescent(0.12)}
    run = ew.evolve(methods, bowl(*curvatures), 30, [ew.Sharpness()])
    for name in ("low", "mid"):
        expected = bowl_loss(curvatures, methods[name].lr, 30)
        np.testing.assert_allclose(run.loss.sel(process=name), expected, rtol=1e-10)
        assert run.outcomes[name].kind == "finished"
    high = run.dataset.sel(process="high")
    expected = bowl_loss(curvatures, 0.5, 30)
    stopped = int(np.flatnonzero(expected > 1e4 * expected[0])[0])
    np.testing.assert_allclose(high.loss[: stopped + 1], expected[: stopped + 1], rtol=1e-10)
    assert bool(high.to_array().sel(step=slice(stopped + 1, None)).isnull().all())
    outcome = run.outcomes["high"]
    assert (outcome.kind, outcome.step) == ("diverged", stopped)
    assert f"Stopped at step {stopped}: diverged, the loss is" in outcome.sentence
    assert run.verdict("high").state == "divergence"
    assert run.verdict("low").state != "divergence"


def test_processes_in_one_run_are_the_runs_of_each() -> None:
    objective, probes = network(), [ew.Sharpness(k=2), ew.MidpointSharpness()]
    together = ew.evolve({"a": ew.GradientDescent(0.3), "b": ew.HeavyBall(0.05, 0.9)}, objective, 12, probes)
    alone = ew.evolve({"b": ew.HeavyBall(0.05, 0.9)}, objective, 12, probes)
    for name in alone.dataset.variables:
        if "process" in alone.dataset[name].dims and name != "process":
            one = together.dataset[name].sel(process="b").values
            np.testing.assert_array_equal(one, alone.dataset[name].sel(process="b").values, err_msg=str(name))


@pytest.mark.parametrize("lr", [1e3, 1e6, 1e9, 1e13, 1e30])
@pytest.mark.parametrize("until", [(), (ew.Diverged(),)], ids=["", "diverged"])
def test_a_step_size_far_too_high_ends_in_words(lr: float, until: tuple[Any, ...]) -> None:
    probes = [ew.Sharpness(k=2), ew.MidpointSharpness(), ew.DirectionalCurvature(), ew.GradientNorm()]
    run = ew.evolve(ew.GradientDescent(lr), network(dtype=torch.float32), 10, probes, until)
    (outcome,) = run.outcomes.values()
    assert outcome.kind in ({"non-finite", "diverged"} if until else {"non-finite"})
    assert f"at step {outcome.step}" in str(outcome)
    assert outcome.step < 10


def test_progress_hears_every_row() -> None:
    listener = Listener()
    methods = {"low": ew.GradientDescent(0.1), "high": ew.GradientDescent(1000.0)}
    run = ew.evolve(methods, bowl(10.0), 4, progress=listener)
    assert listener.heard[0] == ("begin", 0, 4)
    assert [row[0] for row in listener.heard[1:-1]] == [0, 1, 2, 3, 4]
    assert listener.heard[-1] == "end"
    assert [row[1] for row in listener.heard[1:-1]] == [["high", "low"]] * 2 + [["low"]] * 3
    np.testing.assert_array_equal([row[2]["low"] for row in listener.heard[1:-1]], run.loss.sel(process="low"))


def test_a_failing_probe_ends_the_progress_and_leaves_what_was_read(tmp_path: Path) -> None:
    listener = Listener()
    with pytest.raises(ZeroDivisionError):
        ew.evolve(ew.GradientDescent(0.1), bowl(1.0), 9, [Failing()], store=tmp_path, progress=listener)
    assert listener.heard[-1] == "end"
    run = ew.open_run(next(tmp_path.iterdir()))
    assert run.loss.step.values.tolist() == [0, 1, 2]
    assert run.outcomes == {}


def test_a_run_is_readable_while_it_goes_on(tmp_path: Path) -> None:
    seen: list[int] = []

    class Reader(Listener):
        def row(self, step: int, rows: Mapping[str, Readings]) -> None:
            (path,) = tmp_path.iterdir()
            run = ew.open_run(path)
            seen.append(run.dataset.sizes["step"])
            assert run.record.writer == os.getpid()
            with pytest.raises(RecordError, match="is writing this run"):
                run.resume(objective=objective)

    objective = bowl(1.0)
    ew.evolve(ew.GradientDescent(0.1), objective, 1, store=tmp_path, progress=Reader())
    assert len(seen) == 2


def test_a_run_in_another_thread() -> None:
    runs: list[ew.Run] = []
    thread = threading.Thread(
        target=lambda: runs.append(ew.evolve(ew.GradientDescent(0.1), bowl(10.0, 1.0), 5, [ew.Sharpness()]))
    )
    thread.start()
    thread.join()
    assert_same_readings(runs[0], ew.evolve(ew.GradientDescent(0.1), bowl(10.0, 1.0), 5, [ew.Sharpness()]))


def test_a_run_without_a_store_takes_its_folder_with_it() -> None:
    run = ew.evolve(ew.GradientDescent(0.1), bowl(1.0), 1)
    folder = run.path.parent
    assert folder.exists()
    del run
    gc.collect()
    assert not folder.exists()


def test_a_run_that_fails_without_a_store_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ZeroDivisionError):
        ew.evolve(ew.GradientDescent(0.1), bowl(1.0), 9, [Failing()])
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_is_the_recipe(tmp_path: Path) -> None:
    probes, until = (ew.Sharpness(k=2, above=0.5), ew.Projections(3)), (ew.EdgeHeld(5), ew.LossBelow(1e-9))
    problem = digits_mlp(n=20, widths=(4,), seed=3, dtype=torch.float64)
    methods: dict[str, Method[Any]] = {"gd": ew.GradientDescent(ew.Drop(0.2, 0.1, 3))}
    run = ew.evolve(methods, problem, 2, probes, until, store=tmp_path, name="A name!", seed=5)
    assert run.path.parent == tmp_path
    assert "-A-name-" in run.path.name
    again = ew.open_run(run.path)
    recipe = again.recipe
    assert (recipe.processes, recipe.problem, recipe.steps, recipe.seed) == (methods, problem, 2, 5)
    assert recipe.probes[-2:] == probes
    assert recipe.until[-2:] == until
    manifest = json.loads((run.path / "run.json").read_text())
    assert manifest == again.manifest
    assert manifest["critical_formulas"] == {"gd": "2/η"}
    assert manifest["data"]["checksum"].startswith("sha256:")
    assert manifest["environment"]["versions"]["torch"].startswith(torch.__version__.split("+")[0])
    assert ew.evolve(methods, problem, 0).path.name.split("-", 1)[1].startswith("digits-mlp-gd")


def test_a_run_is_its_labelled_series() -> None:
    run = ew.evolve({"gd": ew.GradientDescent(0.1)}, network(classes=True), 3, [ew.Sharpness(k=2)])
    sharpness = run.sharpness
    assert sharpness.dims == ("process", "step", "rank")
    assert sharpness.attrs["units"] == "loss / parameter²"
    assert sharpness.attrs["critical_curvature"] == run.edge_ratio.attrs["critical_curvature"] == "2/η"
    assert run.critical_curvature.attrs["formula"] == "2/η"
    assert run.loss.coords["time"].dims == ("process", "step")
    assert bool(((run.accuracy >= 0) & (run.accuracy <= 1)).all())
    assert all(isinstance(value, str) for one in run.dataset.variables.values() for value in one.attrs.values())
    with pytest.raises(AttributeError, match=r"no series 'sharpnes'; it has .*sharpness"):
        _ = run.sharpnes
    assert not hasattr(run, "_repr_html_")
    assert repr(run) == f'Run("{run.path}")'


def test_different_formulas_stand_beside_their_process() -> None:
    run = ew.evolve({"gd": ew.GradientDescent(0.1), "hb": ew.HeavyBall(0.1, 0.5)}, bowl(1.0), 1)
    assert run.critical_curvature.attrs["formula"] == "gd: 2/η, hb: (2+2β)/η"


def test_a_verdict_is_of_one_process() -> None:
    run = ew.evolve(
        {"low": ew.GradientDescent(0.1), "edge": ew.GradientDescent(0.2)}, bowl(9.0), 5, [ew.Sharpness()]
    )
    assert run.verdict().formula == "2/η"
    assert str(run.verdict()) == str(run.verdict("low")) != str(run.verdict("edge"))
    with pytest.raises(SettingError, match=r"the run has no such process\. Choose from low, edge"):
        run.verdict("gd")


def test_two_calls_are_the_same_run() -> None:
    probes = [ew.Sharpness(k=2), ew.Projections(2)]
    runs = [ew.evolve({"gd": ew.GradientDescent(0.4)}, network(seed=2), 10, probes, seed=4) for _ in range(2)]
    assert_same_readings(*runs)


@dataclass(frozen=True, slots=True)
class Unwritable(Probe):
    """A probe with a setting that JSON does not know."""

    every: int = 1
    something: object = object()

    def series(self) -> tuple[Series, ...]:
        return ()

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        return {}, None


def test_what_cannot_be_run_is_refused() -> None:
    descent, objective = {"gd": ew.GradientDescent(0.1)}, bowl(1.0)

    def refused(match: str, *arguments: Any, **options: Any) -> None:
        with pytest.raises(SettingError, match=match):
            ew.evolve(*arguments, **options)

    refused(r"no process: .* Type \{\"gd\": GradientDescent\(0.01\)\}", {}, objective, 3)
    refused("steps=-1: steps are counted up from 0", descent, objective, -1)
    refused("seed=-1", descent, objective, 1, seed=-1)
    twice = [ew.Sharpness(), ew.Sharpness(k=2)]
    refused("two probes that both write edge_ratio, sharpness, .*Keep one of them", descent, objective, 3, twice)
    refused(
        "until EdgeHeld without a probe that reads edge_ratio: it would never happen. .*Sharpness",
        descent,
        objective,
        3,
        until=[ew.EdgeHeld()],
    )
    refused(
        "cannot be written into its manifest.*object at .*frozen dataclass", descent, objective, 3, [Unwritable()]
    )

    @dataclass(frozen=True, slots=True)
    class Local(Probe):
        every: int = 1

        def series(self) -> tuple[Series, ...]:
            return ()

        def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
            return {}, None

    refused("read back: .*Local.*at the top level of a module", descent, objective, 3, [Local()])


def test_a_store_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    occupied = tmp_path / "runs"
    occupied.write_text("not a folder")
    with pytest.raises(RecordError, match="starting a run in"):
        ew.evolve(ew.GradientDescent(0.1), bowl(1.0), 1, store=occupied)
