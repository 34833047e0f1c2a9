"""Forks: bit for bit the run where nothing changed, and from its very state where something did."""

from pathlib import Path

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.dynamics import Midpoint, fork
from edgewise.foundation import RecordError, SettingError
from edgewise.objectives import Objective
from reference.runs import bowl, final_point, network

PROCESSES = {"hb": ew.HeavyBall(0.2, 0.8), "mid": Midpoint("hb")}


@pytest.mark.parametrize("at", [0, 3, 8, 10])
def test_with_nothing_changed_a_fork_is_the_run(at: int) -> None:
    straight = ew.evolve(PROCESSES, network(), 12, [ew.DistanceFromStart()])
    branch = fork(ew.evolve(PROCESSES, network(), 10, [ew.DistanceFromStart()]), 12, at=at)
    assert branch.dataset.step.values.tolist() == list(range(at, 13))
    for name in ("loss", "time", "distance_from_start", "cost"):
        np.testing.assert_array_equal(branch.dataset[name], straight.dataset[name][:, at:], err_msg=name)
    assert torch.equal(final_point(branch, "hb"), final_point(straight, "hb"))


def test_a_new_step_size_goes_on_with_the_velocity() -> None:
    run = ew.evolve({"hb": ew.HeavyBall(0.1, 0.5)}, bowl(2.0), 5)
    branch = fork(run, 6, at=4, processes={"hb": ew.HeavyBall(0.3, 0.5)})
    w, v = 1.0, 0.0
    for step in range(6):
        v = 0.5 * v + 2.0 * w
        w -= (0.1 if step < 4 else 0.3) * v
    assert float(final_point(branch, "hb")) == pytest.approx(w, rel=1e-12)
    assert branch.manifest["forked_from"] == {"run": run.record.name, "step": 4}


def test_another_method_starts_at_the_point() -> None:
    run = ew.evolve({"hb": ew.HeavyBall(0.1, 0.5)}, bowl(2.0), 4)
    w = float(final_point(run, "hb"))
    branch = fork(run, 5, processes={"hb": ew.GradientDescent(0.1), "beside": ew.GradientDescent(0.2)})
    assert float(final_point(branch, "hb")) == pytest.approx(0.8 * w, rel=1e-12)
    assert float(final_point(branch, "beside")) == pytest.approx(0.6 * w, rel=1e-12)
    assert branch.dataset.time.values[0].tolist() == pytest.approx([0.4, 0.5])


def test_other_probes_and_events() -> None:
    run = ew.evolve({"gd": ew.GradientDescent(0.1)}, bowl(3.0), 4)
    branch = fork(run, 50, probes=[ew.Sharpness()], until=[ew.LossBelow(1e-3)])
    np.testing.assert_allclose(branch.sharpness, 3.0, rtol=1e-12)
    assert branch.outcomes["gd"].kind == "goal"


def test_a_process_that_had_ended_stays_so_unless_it_is_changed() -> None:
    processes = {"wild": ew.GradientDescent(0.5), "calm": ew.GradientDescent(0.1)}
    run = ew.evolve(processes, bowl(10.0), 20)
    ended = run.outcomes["wild"].step
    assert ended < 19
    again = fork(run, 21, at=ended + 1)
    assert again.dataset.process.values.tolist() == ["calm"]
    mended = fork(run, 21, at=ended + 1, processes={**processes, "wild": ew.GradientDescent(0.05)})
    assert mended.outcomes["wild"].kind == "finished"


def test_a_constrained_flow_at_its_edge_goes_on() -> None:
    """Where it stands now it would not be allowed to start."""
    eta, slope, force = 0.1, 2.0, 0.04
    toy = Objective.from_function(
        lambda w: 0.5 * (2 / eta + slope * w[1]) * w[0] ** 2 - force * w[1], 2, start=torch.tensor([0.01, -0.02])
    )
    run = ew.evolve({"flow": ew.ConstrainedFlow(ew.GradientDescent(eta))}, toy, 20)
    assert run.predicted_variance[0, -1, 0] > 0
    branch = fork(run, 22, at=20)
    assert torch.equal(final_point(branch, "flow"), final_point(run.resume(22), "flow"))


def test_what_stands_around_another_method_starts_anew() -> None:
    run = ew.evolve({"m": ew.WeightDecay(ew.GradientDescent(0.1), 0.1)}, bowl(2.0), 4)
    w = float(final_point(run, "m"))
    branch = fork(run, 5, processes={"m": ew.WeightDecay(ew.Adam(0.1), 0.1)})
    assert float(final_point(branch, "m")) == pytest.approx(w - 0.1, abs=1e-6)
    assert branch.dataset.cost.values[0].tolist() == [0, 1]


def test_a_schedule_that_starts_anew_takes_its_flow_along() -> None:
    run = ew.evolve({"hb": ew.HeavyBall(0.1, 0.5)}, bowl(2.0), 4)
    drop = ew.GradientDescent(ew.Drop(0.1, 0.05, step=1))
    branch = fork(run, 7, processes={"hb": drop, "flow": ew.StableFlow(drop)})
    assert branch.dataset.step_size.values.tolist() == [[0.1, 0.05, 0.05, 0.05]] * 2


def test_a_fork_is_resumed_and_forked(tmp_path: Path) -> None:
    run = ew.evolve({"gd": ew.GradientDescent(0.1)}, network(), 6, store=tmp_path)
    branch = fork(run, 8, at=4, store=tmp_path)
    assert branch.path != run.path
    straight = ew.evolve({"gd": ew.GradientDescent(0.1)}, network(), 10)
    assert torch.equal(final_point(branch.resume(10), "gd"), final_point(straight, "gd"))
    assert torch.equal(final_point(fork(branch, 10, at=9), "gd"), final_point(straight, "gd"))
    for checkpoint in (branch.path / "checkpoints").iterdir():
        checkpoint.unlink()
    with pytest.raises(RecordError, match="killed before its first checkpoint"):
        branch.resume(11)
    with pytest.raises(SettingError, match="at=5: the run was forked itself, at step 4"):
        fork(branch, 11, at=5)


def test_what_cannot_be_forked() -> None:
    run = ew.evolve({"gd": ew.GradientDescent(0.1)}, network(), 6)
    with pytest.raises(SettingError, match=r"at=7: the run has the steps 0 to 6. Type at=6."):
        fork(run, 9, at=7)
    with pytest.raises(SettingError, match="steps=3 for a fork at step 5: steps counts from the start"):
        fork(run, 3, at=5)
