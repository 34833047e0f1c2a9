"""The verb: descend by named processes, read by probes, until something happens."""

from edgewise.dynamics.events import AccuracyAbove, Diverged, EdgeHeld, Event, LossBelow, NonFinite
from edgewise.dynamics.evolve import evolve
from edgewise.dynamics.frame import Frame, Past, Readings
from edgewise.dynamics.outcome import Outcome
from edgewise.dynamics.probes import (
    Accuracy,
    DirectionalCurvature,
    DistanceFromStart,
    GradientNorm,
    Loss,
    MidpointSharpness,
    Probe,
    Projections,
    Sharpness,
)
from edgewise.dynamics.process import ProcessState
from edgewise.dynamics.progress import Progress, ProgressBar, Silent
from edgewise.dynamics.recipe import Problem, Recipe
from edgewise.dynamics.run import Run, open_run

__all__ = [
    "Accuracy",
    "AccuracyAbove",
    "DirectionalCurvature",
    "DistanceFromStart",
    "Diverged",
    "EdgeHeld",
    "Event",
    "Frame",
    "GradientNorm",
    "Loss",
    "LossBelow",
    "MidpointSharpness",
    "NonFinite",
    "Outcome",
    "Past",
    "Probe",
    "Problem",
    "ProcessState",
    "Progress",
    "ProgressBar",
    "Projections",
    "Readings",
    "Recipe",
    "Run",
    "Sharpness",
    "Silent",
    "evolve",
    "open_run",
]
