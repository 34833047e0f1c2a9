"""The curvature of an objective at a point: objectives × linear algebra."""

from edgewise.curvature.critical_step import CriticalStep, critical_step
from edgewise.curvature.directional import RayleighQuotient, directional_curvature
from edgewise.curvature.effective import EffectiveHessian
from edgewise.curvature.fisher import EmpiricalFisher, Fisher
from edgewise.curvature.gauss_newton import GaussNewton
from edgewise.curvature.gradient_noise import gradient_noise
from edgewise.curvature.hessian import Hessian
from edgewise.curvature.jacobian_alignment import (
    GaussNewtonShare,
    LayerwiseAlignment,
    gauss_newton_share,
    jacobian_alignment,
)
from edgewise.curvature.likelihood import Likelihood
from edgewise.curvature.ntk import NTK
from edgewise.curvature.stochastic import BatchCurvature, batch_sharpness, require_batches, require_samples
from edgewise.curvature.subspace import DominantSplit, dominant_fraction, dominant_split
from edgewise.curvature.tracker import Tracker, TrackerState

__all__ = [
    "NTK",
    "BatchCurvature",
    "CriticalStep",
    "DominantSplit",
    "EffectiveHessian",
    "EmpiricalFisher",
    "Fisher",
    "GaussNewton",
    "GaussNewtonShare",
    "Hessian",
    "LayerwiseAlignment",
    "Likelihood",
    "RayleighQuotient",
    "Tracker",
    "TrackerState",
    "batch_sharpness",
    "critical_step",
    "directional_curvature",
    "dominant_fraction",
    "dominant_split",
    "gauss_newton_share",
    "gradient_noise",
    "jacobian_alignment",
    "require_batches",
    "require_samples",
]
