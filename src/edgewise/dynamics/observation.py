"""One row of a run: every probe that is due reads the same frame, then every event looks at the row."""

import math
from dataclasses import replace
from typing import Any

import torch

from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.process import ProcessState
from edgewise.dynamics.recipe import Recipe
from edgewise.flows import Flow, Prediction
from edgewise.records import RecordWriter, Series

ALWAYS = (
    Series("time", units="step × step size", long_name="time"),
    Series("step_size", units="parameter² / loss", long_name="step size η"),
    Series("critical_curvature", units="loss / parameter²", long_name="critical curvature"),
    Series("products", units="Hessian-vector products", long_name="products spent on reading"),
    Series("cost", units="gradients", long_name="gradient equivalents spent on descending"),
)
"""What is written at every row, beside what the probes read."""

PREDICTED = (
    Series("predicted_loss", long_name="predicted time average of the training loss"),
    Series("predicted_gradient_norm", units="loss / parameter", long_name="predicted gradient norm, mean square"),
    Series("predicted_sharpness", units="loss / parameter²", long_name="predicted sharpness"),
    Series("predicted_variance", ("mode",), units="parameter²", long_name="predicted variance of a critical mode"),
)
"""What is written at every row of a flow."""


def declare(writer: RecordWriter, recipe: Recipe) -> None:
    """Announce every series of the recipe."""
    predicted = PREDICTED if any(isinstance(process, Flow) for process in recipe.processes.values()) else ()
    writer.declare(*ALWAYS, *predicted, *(series for probe in recipe.probes for series in probe.series()))


def observe(
    recipe: Recipe, process: str, frame: Frame, state: ProcessState, writer: RecordWriter
) -> tuple[ProcessState, Readings]:
    """Read one process at one step, write its row, and let the events judge it.

    Returns:
        The state with what probes and events now remember, and the row.
    """
    step, point = frame.step, frame.point
    row: dict[str, Any] = {
        "time": frame.time,
        "step_size": frame.step_size,
        "critical_curvature": frame.critical_curvature,
        "cost": frame.cost,
    }
    due = [probe.due(step) and probe.of in (None, process) for probe in recipe.probes]
    # Curvature of a loss that has overflowed is not a number; the events are about to end the process.
    finite = bool(torch.isfinite(frame.w).all())
    if not finite:
        row["loss"] = math.nan
    elif any(due):
        finite = bool(torch.isfinite(point.value)) and bool(torch.isfinite(point.gradient).all())
    points = [other.point for other in frame.others.values()]
    before = sum(point.products for point in points)
    elsewhere = 0.0  # products that a probe took at points of its own
    late: dict[int, dict[str, Any]] = {}
    memories = list(state.probes)
    for i, probe in enumerate(recipe.probes):
        if due[i] and (finite or not (probe.products or probe.lag)):
            readings, memories[i] = probe.read(frame, memories[i])
            (late.setdefault(step - probe.lag, {}) if probe.lag else row).update(readings)
            elsewhere += row.pop("products", 0.0)
    if finite and any(due) and (prediction := frame.prediction) is not None:
        row.update(_predicted(prediction))
    row["products"] = sum(point.products for point in points) - before + elsewhere
    writer.append(process, step, row)
    for earlier, readings in late.items():
        if earlier >= 0 and readings:
            writer.append(process, earlier, readings)

    outcome, events = state.outcome, list(state.events)
    for i, event in enumerate(recipe.until):
        reached, events[i] = event.check(step, row, events[i])
        outcome = outcome or reached
    return replace(state, probes=tuple(memories), events=tuple(events), outcome=outcome), row


def _predicted(prediction: Prediction) -> Readings:
    readings: dict[str, Any] = {
        "predicted_loss": prediction.loss,
        "predicted_gradient_norm": prediction.gradient_norm,
    }
    if prediction.sharpness is not None:
        readings["predicted_sharpness"] = prediction.sharpness
    if prediction.variance:
        readings["predicted_variance"] = list(prediction.variance)
    return readings
