"""One row of a run: every probe that is due reads the same frame, then every event looks at the row."""

from dataclasses import replace
from typing import Any

import torch

from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.process import ProcessState
from edgewise.dynamics.recipe import Recipe
from edgewise.methods import Method
from edgewise.objectives import Objective, Point
from edgewise.records import RecordWriter, Series

ALWAYS = (
    Series("time", units="step × step size", long_name="time"),
    Series("step_size", units="parameter² / loss", long_name="step size η"),
    Series("critical_curvature", units="loss / parameter²", long_name="critical curvature"),
    Series("products", units="Hessian-vector products", long_name="products spent on reading"),
)
"""What is written at every row, beside what the probes read."""


def declare(writer: RecordWriter, recipe: Recipe) -> None:
    """Announce every series of the recipe."""
    writer.declare(*ALWAYS, *(series for probe in recipe.probes for series in probe.series()))


def observe(
    recipe: Recipe,
    process: str,
    step: int,
    state: ProcessState,
    objective: Objective,
    writer: RecordWriter,
) -> tuple[ProcessState, Point, Readings]:
    """Read one process at one step, write its row, and let the events judge it.

    Returns:
        The state with what probes and events now remember, the point (whose gradient the step needs), and
        the row.
    """
    method = recipe.processes[process]
    due = [probe.due(step) for probe in recipe.probes]
    products = any(probe.products for probe, now in zip(recipe.probes, due, strict=True) if now)
    point = objective.at(state.w, products=products)
    frame = _frame(method, step, state, objective, point)

    row: dict[str, Any] = {
        "time": state.time,
        "step_size": frame.step_size,
        "critical_curvature": frame.critical_curvature,
    }
    # Curvature of a loss that has overflowed is not a number; the events are about to end the process.
    finite = bool(torch.isfinite(point.value)) and bool(torch.isfinite(point.gradient).all())
    late: dict[int, dict[str, Any]] = {}
    memories = list(state.probes)
    for i, probe in enumerate(recipe.probes):
        if due[i] and (finite or not (probe.products or probe.lag)):
            readings, memories[i] = probe.read(frame, memories[i])
            (late.setdefault(step - probe.lag, {}) if probe.lag else row).update(readings)
    row["products"] = float(point.products)
    writer.append(process, step, row)
    for earlier, readings in late.items():
        if earlier >= 0 and readings:
            writer.append(process, earlier, readings)

    outcome, events = state.outcome, list(state.events)
    for i, event in enumerate(recipe.until):
        reached, events[i] = event.check(step, row, events[i])
        outcome = outcome or reached
    state = replace(state, probes=tuple(memories), events=tuple(events), outcome=outcome)
    return state, point, row


def _frame(method: Method[Any], step: int, state: ProcessState, objective: Objective, point: Point) -> Frame:
    return Frame(
        step=step,
        time=state.time,
        w=state.w,
        start=state.start,
        history=state.history,
        point=point,
        objective=objective,
        step_size=method.step_size_at(state.method),
        critical_curvature=method.critical_curvature_at(state.method),
    )
