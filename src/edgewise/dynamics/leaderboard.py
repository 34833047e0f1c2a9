"""The leaderboard: which theory tracks a run best, and at what cost.

A discrete method and every flow that describes it run in lock step from one start, over several seeds. Each flow
is scored against the two-step midpoints of the run, which is what a time average has to be compared with.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgewise.dynamics.evolve import evolve
from edgewise.dynamics.midpoint import Midpoint
from edgewise.dynamics.outcome import Outcome
from edgewise.dynamics.pairing import Process, goes_down_the_gradient
from edgewise.dynamics.probes import Distance, EffectiveSharpness, GradientNorm, Sharpness
from edgewise.dynamics.progress import Progress
from edgewise.dynamics.run import Run
from edgewise.flows import AnyFlow, CentralFlow, ConstrainedFlow, EdgeFlow, GradientFlow, RodFlow, StableFlow
from edgewise.foundation import EdgewiseError, SettingError
from edgewise.linalg import Identity
from edgewise.methods import AnyMethod
from edgewise.objectives import Objective

RUN, MIDPOINT = "run", "midpoint"
"""The names of the discrete run and of its midpoints among the processes of a comparison."""

FLOWS = ("gradient", "stable", "central", "constrained", "edge", "rod")
"""The flows that can be compared, by name."""

Reals = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well one flow did in one run.

    Attributes:
        flow: its name.
        seed: of the problem.
        distance: ‖w − w*‖ ÷ ‖w − w₀‖ from the midpoints w* of the run at the last step both were there.
        loss_error: mean relative error of the predicted loss against the run's, both smoothed.
        sharpness_error: likewise of the sharpness, against that at the midpoints.
        cost: gradient equivalents a step.
        seconds: a step on this machine, value and gradient at its point aside.
        ended: the step at which it ended before the run did; None if it did not.
    """

    flow: str
    seed: int
    distance: float
    loss_error: float
    sharpness_error: float
    cost: float
    seconds: float
    ended: int | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """The scores of all flows over all seeds.

    Attributes:
        problem: the name of the problem.
        method: the method that the flows describe.
        steps: how long each run was.
        window: over how many steps losses and sharpnesses were averaged.
        scores: one a flow and seed.
        refused: flows that do not describe the method, or not from that start, with the reason; by flow and seed.
        runs: the runs themselves, one a seed.
    """

    problem: str
    method: AnyMethod
    steps: int
    window: int
    scores: tuple[Score, ...]
    refused: Mapping[tuple[str, int], str]
    runs: tuple[Run, ...]

    @property
    def flows(self) -> tuple[str, ...]:
        """The flows that took part, the closest to the run first; those that ended early come last."""
        names = dict.fromkeys(score.flow for score in self.scores)

        def place(name: str) -> tuple[bool, float]:
            ended = any(score.ended is not None for score in self.of(name))
            distance = self.mean(name, "distance")[0]
            return ended, math.inf if math.isnan(distance) else distance

        return tuple(sorted(names, key=place))

    def of(self, flow: str) -> tuple[Score, ...]:
        """The scores of one flow, one a seed."""
        return tuple(score for score in self.scores if score.flow == flow)

    def mean(self, flow: str, quantity: str) -> tuple[float, float]:
        """Mean and standard deviation over seeds of one attribute of `Score`; NaN deviation for one seed."""
        values = np.array([getattr(score, quantity) for score in self.of(flow)], dtype=np.float64)
        values = values[np.isfinite(values)]
        if not values.size:
            return math.nan, math.nan
        return float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else math.nan

    def markdown(self) -> str:
        """The table, in Markdown."""
        lines = [
            "| flow | distance | error of loss | error of sharpness | gradients a step | ms a step | ended |",
            "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
        ]
        for flow in self.flows:
            lines.append("| " + " | ".join((flow, *self.cells(flow))) + " |")
        return "\n".join(lines)

    def cells(self, flow: str) -> tuple[str, ...]:
        """One row of the table as text, without its name."""
        ended = [f"step {score.ended}" for score in self.of(flow) if score.ended is not None]
        if len(self.of(flow)) < len(self.runs):
            ended.insert(0, f"{len(self.of(flow))} of {len(self.runs)} seeds")
        return (
            _shown(*self.mean(flow, "distance"), percent=True),
            _shown(*self.mean(flow, "loss_error"), percent=True),
            _shown(*self.mean(flow, "sharpness_error"), percent=True),
            _shown(*self.mean(flow, "cost")),
            _shown(*(1e3 * value for value in self.mean(flow, "seconds"))),
            ", ".join(ended),
        )


def compare_flows(
    problem: Any,
    method: AnyMethod,
    steps: int,
    *,
    flows: Sequence[str] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    every: int = 5,
    window: int | None = None,
    store: str | Path | None = None,
    progress: Progress | None = None,
) -> Leaderboard:
    """Run a method beside every flow that describes it, and score the flows.

    Args:
        problem: a named problem; it is built anew for each seed.
        method: the discrete method.
        steps: how many of its steps.
        flows: names out of `FLOWS`; None takes all.
        seeds: of the problem.
        every: the sharpness of every process is read every so many steps.
        window: over how many steps run and prediction are averaged before they are compared; None takes a
            twentieth of the run, but at least 20.
        store: the folder in which to keep the runs; None keeps them until the leaderboard is gone.
        progress: what shows the progress; None shows a bar on a terminal.

    Raises:
        SettingError: if a flow is not known, or none of them describes the method.
    """
    if flows is None:
        # The stable flow of gradient descent is gradient flow, which describes nothing else.
        flows = [name for name in FLOWS if name != ("stable" if goes_down_the_gradient(method) else "gradient")]
    for name in flows:
        if name not in _FLOWS:
            known = ", ".join(FLOWS)
            raise SettingError(f"the flow {name!r}", "there is none of that name", f"Choose from {known}")
    window = max(20, steps // 20) if window is None else window
    scores: list[Score] = []
    runs: list[Run] = []
    refused: dict[tuple[str, int], str] = {}
    for seed in seeds:
        seeded = replace(problem, seed=seed)
        objective = seeded.objective()
        processes: dict[str, Process] = {RUN: method, MIDPOINT: Midpoint(RUN)}
        for name in flows:
            try:
                flow = _FLOWS[name](method)
                flow.init(objective, objective.start, seed)
            except EdgewiseError as error:
                refused[name, seed] = str(error)
            else:
                processes[name] = flow
        taking_part = [name for name in processes if name not in (RUN, MIDPOINT)]
        if not taking_part:
            raise SettingError(
                f"{method} beside {', '.join(flows)}",
                "; ".join(dict.fromkeys(refused.values())).rstrip("."),
                "Choose another flow or method",
            )
        curvature = EffectiveSharpness if _is_preconditioned(method, objective) else Sharpness
        probes = [curvature(every=every), GradientNorm(), *(Distance(MIDPOINT, name) for name in taking_part)]
        name = f"flows-{problem.name}"
        run = evolve(processes, seeded, steps, probes, store=store, name=name, seed=seed, progress=progress)
        runs.append(run)
        scores += [score(run, name, seed, window) for name in taking_part]
    return Leaderboard(
        problem=problem.name,
        method=method,
        steps=steps,
        window=window,
        scores=tuple(scores),
        refused=refused,
        runs=tuple(runs),
    )


def score(run: Run, flow: str, seed: int, window: int) -> Score:
    """Score one flow of a run that `compare_flows` made."""
    dataset = run.dataset
    discrete, middle, own = (dataset.sel(process=name) for name in (RUN, MIDPOINT, flow))
    taken = int(np.isfinite(own["step_size"].values).sum()) - 1
    outcome: Outcome | None = run.outcomes.get(flow)
    distances = own["relative_distance"].values
    known = np.flatnonzero(np.isfinite(distances))
    # With a preconditioner it is the effective sharpness that is predicted, and was read.
    read = "sharpness" if "sharpness" in own else "effective_sharpness"
    at_flow = own[read].values[:, 0]
    predicted = own["predicted_sharpness"].values
    return Score(
        flow=flow,
        seed=seed,
        distance=float(distances[known[-1]]) if known.size else math.nan,
        loss_error=relative_error(own["predicted_loss"].values, discrete["loss"].values, window),
        sharpness_error=relative_error(
            np.where(np.isfinite(predicted), predicted, at_flow), middle[read].values[:, 0], window
        ),
        cost=float(np.nanmax(own["cost"].values)) / max(taken, 1),
        seconds=run.seconds[flow] / max(taken, 1),
        ended=outcome.step if outcome is not None and outcome.kind not in ("finished", "interrupted") else None,
    )


def relative_error(prediction: Reals, truth: Reals, window: int) -> float:
    """Mean of |mean prediction − mean truth| ÷ |mean truth| over all windows of the steps that both have."""
    both = np.flatnonzero(np.isfinite(prediction) & np.isfinite(truth))
    if both.size < 2:
        return math.nan
    # A window in steps, as many readings as there are in it.
    width = min(max(1, round(window * (both.size - 1) / (both[-1] - both[0]))), both.size)
    kernel = np.full(width, 1.0 / width)
    ours, theirs = (np.convolve(series[both], kernel, mode="valid") for series in (prediction, truth))
    return float(np.mean(np.abs(ours - theirs) / np.abs(theirs)))


def _gradient_flow(method: AnyMethod) -> GradientFlow:
    if not goes_down_the_gradient(method):
        raise SettingError(
            f"gradient flow beside {method}",
            "in the time of its steps that method does not go down the gradient at unit speed",
            "Compare its stable flow, which does as it does",
        )
    return GradientFlow(method=method)


_FLOWS: Mapping[str, Callable[[AnyMethod], AnyFlow]] = {
    "gradient": _gradient_flow,
    "stable": StableFlow,
    "central": CentralFlow,
    "constrained": ConstrainedFlow,
    "edge": EdgeFlow,
    "rod": RodFlow,
}


def _is_preconditioned(method: AnyMethod, objective: Objective) -> bool:
    w = objective.start
    fitted = method.on(objective.space)
    return not isinstance(fitted.preconditioner(w, objective.gradient(w), fitted.init(w)), Identity)


def _shown(mean: float, deviation: float, *, percent: bool = False) -> str:
    if math.isnan(mean):
        return ""
    if percent:
        mean, deviation = 100 * mean, 100 * deviation
    sign = " %" if percent else ""
    return f"{mean:.3g}{sign}" if math.isnan(deviation) else f"{mean:.3g} ± {deviation:.2g}{sign}"
