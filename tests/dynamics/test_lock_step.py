"""Methods, midpoints and flows side by side: one clock, pairs, and processes that end alone."""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.dynamics import Midpoint, PredictedLossRatio
from edgewise.dynamics.launch import objective_of
from edgewise.dynamics.pairing import paired
from edgewise.dynamics.probes import Distance, EigenspaceAlignment
from edgewise.flows import AnyFlow, Cost, Flow, Prediction
from edgewise.foundation import EdgewiseError, FlowError, Parameters, SettingError
from edgewise.methods import AnyMethod
from edgewise.objectives import Objective, Point
from reference.bad_settings import as_a_user_types
from reference.runs import assert_same_run, bowl, final_point, network


@dataclass(frozen=True, slots=True)
class Steps:
    """What `Euler` carries."""

    taken: int


@dataclass(frozen=True, slots=True)
class Euler(Flow[Steps]):
    """A flow whose answer is known: `parts` Euler steps of gradient flow in the time of one step."""

    method: ew.GradientDescent | None = None
    parts: int = 1
    fails_at: int | None = None

    @property
    def described(self) -> AnyMethod | None:
        return self.method

    def beside(self, method: AnyMethod) -> AnyFlow:
        return Euler(method, self.parts, self.fails_at)

    def init(self, objective: Objective, w: Parameters, seed: int) -> Steps:
        return Steps(0)

    def advance(
        self, objective: Objective, point: Point, state: Steps, step_size: float
    ) -> tuple[Parameters, Steps]:
        if state.taken == self.fails_at:
            raise FlowError("this flow", "it was told to fail", "Leave fails_at out")
        w = point.w
        for _ in range(self.parts):
            w = w - step_size / self.parts * objective.gradient(w)
        return w, Steps(state.taken + 1)

    def predict(self, objective: Objective, point: Point, state: Steps) -> Prediction:
        return Prediction(loss=2 * float(point.value), gradient_norm=1.0, sharpness=3.0, variance=(0.5, 0.25))

    def cost(self, state: Steps) -> Cost:
        return Cost(gradients=state.taken * self.parts)


PAIRS = [Distance("gd", "euler"), EigenspaceAlignment("gd", "euler"), PredictedLossRatio("gd", "euler", window=3)]


def test_a_flow_keeps_the_time_of_the_method_beside_it() -> None:
    run = ew.evolve({"gd": ew.GradientDescent(0.1), "euler": Euler(parts=2)}, bowl(4.0, 1.0), 5)
    assert run.recipe.processes["euler"] == Euler(ew.GradientDescent(0.1), parts=2)
    one = run.dataset.sel(process="euler")
    np.testing.assert_allclose(one.time, 0.1 * np.arange(6), rtol=1e-12)
    np.testing.assert_array_equal(one.critical_curvature, 20.0)
    np.testing.assert_array_equal(one.cost, 2.0 * np.arange(6))
    np.testing.assert_allclose(final_point(run, "euler"), [0.8**10, 0.95**10], rtol=1e-12)
    np.testing.assert_array_equal(run.dataset.sel(process="gd").cost, np.arange(6))


def test_what_a_flow_predicts_is_written_down() -> None:
    run = ew.evolve({"gd": ew.GradientDescent(0.1), "euler": Euler()}, bowl(4.0), 4)
    one = run.dataset.sel(process="euler")
    np.testing.assert_array_equal(one.predicted_loss, 2 * one.loss)
    np.testing.assert_array_equal(one.predicted_gradient_norm, 1.0)
    np.testing.assert_array_equal(one.predicted_sharpness, 3.0)
    np.testing.assert_array_equal(one.predicted_variance, [[0.5, 0.25]] * 5)
    assert np.isnan(run.dataset.sel(process="gd").predicted_loss).all()


def test_a_flow_follows_the_schedule_of_its_method() -> None:
    drop = ew.GradientDescent(ew.Drop(0.1, 0.05, step=2))
    run = ew.evolve({"gd": drop, "euler": Euler()}, bowl(1.0), 4, [Distance("gd", "euler")])
    np.testing.assert_allclose(run.dataset.time.sel(process="euler"), [0, 0.1, 0.2, 0.25, 0.3], rtol=1e-12)
    np.testing.assert_array_equal(run.distance.sel(process="euler"), 0.0)


def test_the_midpoint_is_the_mean_of_three_iterates() -> None:
    lr, curvature = 0.3, 6.0
    processes = {"mid": Midpoint("gd"), "gd": ew.GradientDescent(lr)}
    run = ew.evolve(processes, bowl(curvature), 6, [ew.Sharpness(), ew.DistanceFromStart()])
    iterates = (1 - lr * curvature) ** np.arange(8)
    expected = (iterates[:-2] + 2 * iterates[1:-1] + iterates[2:]) / 4
    middle = run.dataset.sel(process="mid")
    assert np.isnan(middle.loss[0])
    np.testing.assert_allclose(middle.loss[1:], 0.5 * curvature * expected**2, rtol=1e-10)
    np.testing.assert_allclose(middle.sharpness[1:, 0], curvature, rtol=1e-12)
    np.testing.assert_allclose(middle.distance_from_start[1:], abs(expected - 1), rtol=1e-10)
    np.testing.assert_allclose(middle.time[1:], lr * np.arange(1, 7))
    np.testing.assert_array_equal(middle.cost[1:], 0.0)
    # An exact cancellation of the oscillation leaves the source untouched.
    alone = ew.evolve({"gd": ew.GradientDescent(lr)}, bowl(curvature), 6)
    assert torch.equal(final_point(run, "gd"), final_point(alone, "gd"))


def test_pairs_are_read_in_the_rows_of_the_second() -> None:
    lr, steps = 0.2, 6
    run = ew.evolve({"gd": ew.GradientDescent(lr), "euler": Euler(parts=2)}, bowl(3.0, 1.0), steps, PAIRS)
    t = np.arange(steps + 1)
    first = np.stack([(1 - lr * c) ** t for c in (3.0, 1.0)])
    second = np.stack([(1 - lr / 2 * c) ** (2 * t) for c in (3.0, 1.0)])
    one = run.dataset.sel(process="euler")
    distance = np.linalg.norm(first - second, axis=0)
    np.testing.assert_allclose(one.distance, distance, rtol=1e-9, atol=1e-15)
    way = np.linalg.norm(second - 1, axis=0)
    np.testing.assert_allclose(one.relative_distance[1:], distance[1:] / way[1:], rtol=1e-9)
    np.testing.assert_allclose(one.eigenspace_alignment, 1.0, rtol=1e-9)
    losses = [0.5 * np.array([3.0, 1.0]) @ w**2 for w in (first, second)]
    ratio = [losses[0][i - 2 : i + 1].sum() / (2 * losses[1][i - 2 : i + 1].sum()) for i in range(2, steps + 1)]
    assert np.isnan(one.predicted_loss_ratio[:2]).all()
    np.testing.assert_allclose(one.predicted_loss_ratio[2:], ratio, rtol=1e-9)
    assert np.isnan(run.dataset.sel(process="gd").distance).all()


def test_eigenspaces_that_have_nothing_in_common() -> None:
    """L = x⁴ + y⁴ is sharpest along x where x is larger, and along y elsewhere."""
    objective = Objective.from_function(lambda w: (w**4).sum(), 2, start=torch.tensor([1.0, 0.9]))
    probes = [EigenspaceAlignment("gd", "euler")]
    run = ew.evolve({"gd": ew.GradientDescent(0.15), "euler": Euler(parts=50)}, objective, 1, probes)
    # The long step overshoots in x only a little and in y less: the order of |x| and |y| changes.
    assert run.eigenspace_alignment.sel(process="euler").values.tolist() == pytest.approx([1.0, 0.0], abs=1e-9)


def test_a_process_that_diverges_ends_alone() -> None:
    processes = {"wild": ew.GradientDescent(0.3), "mid": Midpoint("wild"), "calm": ew.GradientDescent(0.1)}
    run = ew.evolve(processes, bowl(10.0), 40)
    assert run.outcomes["wild"].kind == "diverged"
    assert run.outcomes["mid"].kind == "ended"
    assert run.outcomes["mid"].step == run.outcomes["wild"].step < 40
    assert str(run.outcomes["mid"]) == f"Ended at step {run.outcomes['mid'].step}, with wild."
    assert run.outcomes["calm"].kind == "finished"


def test_a_flow_that_fails_ends_alone_and_says_why() -> None:
    with pytest.warns(UserWarning, match="euler: Stopped at step 3"):
        run = ew.evolve({"gd": ew.GradientDescent(0.1), "euler": Euler(fails_at=3)}, bowl(1.0), 6, PAIRS)
    outcome = run.outcomes["euler"]
    assert (outcome.kind, outcome.step) == ("failed", 3)
    assert str(outcome) == "Stopped at step 3: this flow: it was told to fail. Leave fails_at out."
    assert run.outcomes["gd"].kind == "finished"
    assert np.isfinite(run.distance.sel(process="euler")).values.tolist() == [True] * 4 + [False] * 3


def test_a_method_that_cannot_look_ends_alone() -> None:
    processes = {"gd": ew.GradientDescent(0.1), "root": ew.SqrtLossGD(0.1, minimum=0.2), "mid": Midpoint("root")}
    with pytest.warns(UserWarning, match="root: Stopped at step"):
        run = ew.evolve(processes, bowl(1.0), 20)
    outcome = run.outcomes["root"]
    assert outcome.kind == "failed"
    assert 0 < outcome.step < 20
    assert str(outcome).startswith(f"Stopped at step {outcome.step}: ")
    assert run.outcomes["mid"].kind == "ended"
    assert run.outcomes["gd"].kind == "finished"


def test_the_clock_of_each_process_is_kept() -> None:
    run = ew.evolve({"gd": ew.GradientDescent(0.1), "euler": Euler(parts=3)}, network(), 3)
    assert set(run.seconds) == {"gd", "euler"}
    assert all(seconds > 0 for seconds in run.seconds.values())
    before = run.seconds["gd"]
    assert run.resume(6).seconds["gd"] > before


@pytest.mark.parametrize("at", [1, 4])
def test_resuming_flows_midpoints_and_pairs_is_the_straight_run(at: int) -> None:
    processes = {"gd": ew.GradientDescent(0.4), "mid": Midpoint("gd"), "euler": Euler(parts=2)}
    probes = [ew.Sharpness(), ew.MidpointSharpness(), Distance("mid", "euler"), *PAIRS[1:]]
    straight = ew.evolve(processes, network(), 9, probes)
    assert_same_run(ew.evolve(processes, network(), at, probes).resume(9), straight)


@pytest.mark.parametrize(
    ("processes", "probes", "sentence"),
    [
        (
            {"euler": Euler()},
            [],
            "euler: Euler(method=None, parts=1, fails_at=None) beside no method: a",
        ),
        ({"gd": ew.GradientDescent(0.1), "mid": Midpoint("sgd")}, [], "mid: Midpoint(of='sgd'): 'sgd' is not"),
        ({"gd": ew.GradientDescent(0.1), "mid": Midpoint("mid")}, [], "mid: Midpoint(of='mid'): 'mid' is not"),
        (
            {"gd": ew.GradientDescent(0.1)},
            [Distance("gd", "flow")],
            "Distance(a='gd', b='flow', every=1): there",
        ),
        (
            {"gd": ew.GradientDescent(0.1), "slow": ew.GradientDescent(0.05)},
            [Distance("gd", "slow")],
            "Distance(a='gd', b='slow', every=1) of processes whose steps take 0.1 and 0.05: at the same step",
        ),
        (
            {"gd": ew.GradientDescent(0.1), "euler": Euler()},
            [Distance("gd", "euler"), Distance("gd", "euler", every=2)],
            "two probes that both write distance, relative_distance",
        ),
    ],
)
def test_pairings_that_cannot_be_are_refused(processes: Any, probes: Any, sentence: str) -> None:
    with pytest.raises(SettingError) as caught:
        ew.evolve(processes, bowl(1.0), 3, probes)
    assert str(caught.value).startswith(sentence)


def test_a_flow_of_a_method_that_is_not_there_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"euler describes GradientDescent\(lr=0.2\), which is not among"):
        ew.evolve({"gd": ew.GradientDescent(0.1), "euler": Euler(ew.GradientDescent(0.2))}, bowl(1.0), 1)


def test_a_window_holds_something() -> None:
    with pytest.raises(SettingError, match="window=0: a mean is over something"):
        PredictedLossRatio("a", "b", window=0)


def test_gradient_flow_beside_what_it_does_not_describe_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"flow: GradientFlow beside HeavyBall\(.*\), which does more"):
        ew.evolve({"hb": ew.HeavyBall(0.1, 0.5), "flow": ew.GradientFlow()}, bowl(1.0), 1)


def test_what_is_neither_objective_nor_probe_nor_event_is_refused() -> None:
    with pytest.raises(SettingError, match="an objective of type Linear: there is nothing in it to descend"):
        objective_of(torch.nn.Linear(1, 1))
    with pytest.raises(SettingError, match="a process named 3: a name is a string"):
        paired({3: ew.GradientDescent(0.1)})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("probes=[ew.Sharpness]", "among the probes: it is none. Type a value, such as Sharpness()."),
        ("until=[ew.Diverged]", "in until: it is not an event. Type a value, such as Diverged()."),
    ],
)
def test_a_class_in_the_place_of_a_value_is_refused(words: str, sentence: str) -> None:
    """In a process of its own, where no type checker is quicker."""
    program = (
        "import edgewise as ew\n"
        "bowl = ew.Objective.from_function(lambda w: (w**2).sum(), 2)\n"
        f"ew.evolve(ew.GradientDescent(0.1), bowl, 3, {words})\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert sentence in answer.stderr


def test_batches_that_there_are_not_are_refused_at_once() -> None:
    with pytest.raises(EdgewiseError, match="100"):
        ew.evolve(ew.SGD(0.1, 100), network(), 3)


def test_what_is_no_process_is_refused() -> None:
    with pytest.raises(SettingError, match="a process 'gd' of type float: it is neither a method, nor a flow"):
        paired({"gd": 0.1})


@pytest.mark.parametrize("of", [3, None, ("gd",), ew.GradientDescent(0.1)])
def test_a_midpoint_of_what_is_no_name_is_refused(of: Any) -> None:
    with pytest.raises(SettingError) as refused, as_a_user_types():
        Midpoint(of)
    assert str(refused.value) == (
        f"Midpoint({of!r}): it lies on a process that is told by its name, and that is of type "
        f"{type(of).__name__}. "
        "Type {'gd': GradientDescent(0.01), 'midpoint': Midpoint('gd')}."
    )
