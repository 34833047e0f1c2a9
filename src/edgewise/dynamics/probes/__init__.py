"""Probes: what can be read of a process, one noun per file."""

from edgewise.dynamics.probes.directional import DirectionalCurvature
from edgewise.dynamics.probes.distance import DistanceFromStart
from edgewise.dynamics.probes.effective_sharpness import EffectiveSharpness
from edgewise.dynamics.probes.gradient_norm import GradientNorm
from edgewise.dynamics.probes.loss import Accuracy, Loss
from edgewise.dynamics.probes.pairs import Distance, EigenspaceAlignment, PredictedLossRatio
from edgewise.dynamics.probes.probe import Probe
from edgewise.dynamics.probes.projections import Projections
from edgewise.dynamics.probes.sharpness import MidpointSharpness, Sharpness

__all__ = [
    "Accuracy",
    "DirectionalCurvature",
    "Distance",
    "DistanceFromStart",
    "EffectiveSharpness",
    "EigenspaceAlignment",
    "GradientNorm",
    "Loss",
    "MidpointSharpness",
    "PredictedLossRatio",
    "Probe",
    "Projections",
    "Sharpness",
]
