"""The leaderboard: scores that follow from the record, on runs whose order is known."""

import math

import numpy as np
import pytest

import edgewise as ew
from edgewise.dynamics import FLOWS, MIDPOINT, RUN
from edgewise.dynamics.leaderboard import relative_error
from edgewise.foundation import SettingError
from edgewise.problems import chebyshev_mlp

PROBLEM = chebyshev_mlp(n=12, width=6)


@pytest.fixture(scope="module")
def board() -> ew.Leaderboard:
    return ew.compare_flows(PROBLEM, ew.GradientDescent(0.05), 30, seeds=(3, 4), every=3)


def test_all_flows_of_gradient_descent_take_part(board: ew.Leaderboard) -> None:
    assert set(board.flows) == set(FLOWS) - {"stable"}  # which is gradient flow here
    assert board.refused == {}
    assert {score.seed for score in board.of("central")} == {3, 4}
    assert [run.recipe.problem.seed for run in board.runs] == [3, 4]
    assert all(math.isfinite(score.seconds) and score.seconds > 0 for score in board.scores)


def test_scores_are_those_of_the_record(board: ew.Leaderboard) -> None:
    dataset = board.runs[0].dataset
    for score in (score for score in board.scores if score.seed == 3):
        own = dataset.sel(process=score.flow)
        assert score.distance == float(own.relative_distance[-1])
        assert score.cost == float(own.cost[-1]) / 30
        assert score.ended is None
        error = relative_error(own.predicted_loss.values, dataset.loss.sel(process=RUN).values, board.window)
        assert score.loss_error == error
        # Below the edge the constrained trajectory is gradient descent itself.
        assert (score.loss_error == 0) == (score.flow == "constrained")
        assert score.loss_error < 0.05
        assert 0 < score.sharpness_error < 0.05


def test_they_are_ranked_by_distance(board: ew.Leaderboard) -> None:
    distances = [board.mean(flow, "distance")[0] for flow in board.flows]
    assert distances == sorted(distances)
    lines = board.markdown().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {flow}" for flow in board.flows]
    assert all(" ± " in line for line in lines[2:])


def test_a_relative_error_is_one_of_means() -> None:
    truth = np.array([1.0, 3.0, 1.0, 3.0, 1.0, 3.0])
    assert relative_error(np.full(6, 2.0), truth, window=2) == pytest.approx(0.0)
    assert relative_error(np.full(6, 2.2), truth, window=2) == pytest.approx(0.1)
    assert relative_error(np.full(6, 2.0), truth, window=1) == pytest.approx((1.0 + 1 / 3) / 2)
    sparse = np.where(np.arange(6) % 2 == 0, truth, np.nan)  # read every other step
    assert relative_error(np.ones(6), sparse, window=2) == pytest.approx(0.0)
    assert math.isnan(relative_error(np.full(6, np.nan), truth, window=2))


def test_a_flow_that_does_not_describe_the_method_does_not_take_part() -> None:
    board = ew.compare_flows(
        PROBLEM, ew.HeavyBall(0.01, 0.9), 4, flows=["gradient", "stable", "central"], seeds=[0]
    )
    assert board.flows == ("stable",)
    assert "HeavyBall" in board.refused["central", 0]
    assert "stable flow" in board.refused["gradient", 0]
    assert math.isnan(board.mean("stable", "distance")[1])  # one seed has no deviation


def test_a_flow_that_some_starts_refuse_says_of_how_many_it_speaks() -> None:
    """The constrained flow does not start above the edge."""
    starts = {seed: _sharpness_at_start(seed) for seed in range(4)}
    above, below = max(starts, key=starts.__getitem__), min(starts, key=starts.__getitem__)
    critical = (starts[above] + starts[below]) / 2
    board = ew.compare_flows(
        PROBLEM, ew.GradientDescent(2 / critical), 4, flows=["gradient", "constrained"], seeds=[above, below]
    )
    assert set(board.refused) == {("constrained", above)}
    assert board.cells("constrained")[-1] == "1 of 2 seeds"
    assert board.cells("gradient")[-1] == ""


def _sharpness_at_start(seed: int) -> float:
    objective = chebyshev_mlp(n=12, width=6, seed=seed).objective()
    return float(ew.eigenpairs(ew.Hessian(objective, objective.start), k=1).values[0])


def test_with_a_preconditioner_effective_sharpnesses_are_compared() -> None:
    board = ew.compare_flows(
        PROBLEM, ew.RMSProp(1e-3, beta2=0.9), 12, flows=["central", "stable"], seeds=[0], every=2
    )
    dataset = board.runs[0].dataset
    assert "sharpness" not in dataset
    middle, own = (dataset.sel(process=name) for name in (MIDPOINT, "stable"))
    error = relative_error(
        own.effective_sharpness.values[:, 0], middle.effective_sharpness.values[:, 0], board.window
    )
    assert board.of("stable")[0].sharpness_error == error


def test_what_cannot_be_compared() -> None:
    with pytest.raises(SettingError, match=r"the flow 'magic': there is none of that name. Choose from gradient"):
        ew.compare_flows(PROBLEM, ew.GradientDescent(0.01), 4, flows=["magic"])
    with pytest.raises(SettingError, match=r"HeavyBall\(lr=0.01, beta=0.9\) beside central: "):
        ew.compare_flows(PROBLEM, ew.HeavyBall(0.01, 0.9), 4, flows=["central"], seeds=[0])
    assert MIDPOINT != RUN
