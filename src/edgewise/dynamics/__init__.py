"""The verb: descend by named processes, read by probes, until something happens."""

from edgewise.dynamics.events import AccuracyAbove, Diverged, EdgeHeld, Event, LossBelow, NonFinite
from edgewise.dynamics.evolve import evolve
from edgewise.dynamics.fork import fork
from edgewise.dynamics.frame import Frame, Past, Readings
from edgewise.dynamics.leaderboard import FLOWS, MIDPOINT, RUN, Leaderboard, Score, compare_flows, score
from edgewise.dynamics.midpoint import Midpoint
from edgewise.dynamics.outcome import Outcome
from edgewise.dynamics.pairing import Process
from edgewise.dynamics.probes import (
    Accuracy,
    BatchSharpness,
    DirectionalCurvature,
    Distance,
    DistanceFromStart,
    DominantSubspace,
    EffectiveSharpness,
    EigenspaceAlignment,
    GradientNorm,
    JacobianAlignment,
    Loss,
    MidpointSharpness,
    ModeDisplacement,
    Oscillation,
    PredictedLossRatio,
    Probe,
    Projections,
    RelativeProgress,
    Sharpness,
)
from edgewise.dynamics.process import ProcessState
from edgewise.dynamics.progress import Progress, ProgressBar, Silent
from edgewise.dynamics.recipe import Problem, Recipe
from edgewise.dynamics.run import Run, open_run

__all__ = [
    "FLOWS",
    "MIDPOINT",
    "RUN",
    "Accuracy",
    "AccuracyAbove",
    "BatchSharpness",
    "DirectionalCurvature",
    "Distance",
    "DistanceFromStart",
    "Diverged",
    "DominantSubspace",
    "EdgeHeld",
    "EffectiveSharpness",
    "EigenspaceAlignment",
    "Event",
    "Frame",
    "GradientNorm",
    "JacobianAlignment",
    "Leaderboard",
    "Loss",
    "LossBelow",
    "Midpoint",
    "MidpointSharpness",
    "ModeDisplacement",
    "NonFinite",
    "Oscillation",
    "Outcome",
    "Past",
    "PredictedLossRatio",
    "Probe",
    "Problem",
    "Process",
    "ProcessState",
    "Progress",
    "ProgressBar",
    "Projections",
    "Readings",
    "Recipe",
    "RelativeProgress",
    "Run",
    "Score",
    "Sharpness",
    "Silent",
    "compare_flows",
    "evolve",
    "fork",
    "open_run",
    "score",
]
