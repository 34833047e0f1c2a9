"""Probes: what can be read of a process, one noun per file."""

from edgewise.dynamics.probes.batch_sharpness import BatchSharpness
from edgewise.dynamics.probes.directional import DirectionalCurvature
from edgewise.dynamics.probes.distance import DistanceFromStart
from edgewise.dynamics.probes.dominant_subspace import DominantSubspace
from edgewise.dynamics.probes.effective_sharpness import EffectiveSharpness
from edgewise.dynamics.probes.gradient_norm import GradientNorm
from edgewise.dynamics.probes.jacobian_alignment import JacobianAlignment
from edgewise.dynamics.probes.loss import Accuracy, Loss
from edgewise.dynamics.probes.oscillation import Oscillation
from edgewise.dynamics.probes.pairs import (
    Distance,
    EigenspaceAlignment,
    ModeDisplacement,
    PredictedLossRatio,
)
from edgewise.dynamics.probes.probe import Probe
from edgewise.dynamics.probes.projections import Projections
from edgewise.dynamics.probes.relative_progress import RelativeProgress
from edgewise.dynamics.probes.sharpness import MidpointSharpness, Sharpness

__all__ = [
    "Accuracy",
    "BatchSharpness",
    "DirectionalCurvature",
    "Distance",
    "DistanceFromStart",
    "DominantSubspace",
    "EffectiveSharpness",
    "EigenspaceAlignment",
    "GradientNorm",
    "JacobianAlignment",
    "Loss",
    "MidpointSharpness",
    "ModeDisplacement",
    "Oscillation",
    "PredictedLossRatio",
    "Probe",
    "Projections",
    "RelativeProgress",
    "Sharpness",
]
