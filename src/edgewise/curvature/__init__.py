"""The curvature of an objective at a point: objectives × linear algebra."""

from edgewise.curvature.directional import RayleighQuotient, directional_curvature
from edgewise.curvature.effective import EffectiveHessian
from edgewise.curvature.fisher import EmpiricalFisher, Fisher
from edgewise.curvature.gauss_newton import GaussNewton
from edgewise.curvature.hessian import Hessian
from edgewise.curvature.likelihood import Likelihood
from edgewise.curvature.ntk import NTK
from edgewise.curvature.tracker import Tracker, TrackerState

__all__ = [
    "NTK",
    "EffectiveHessian",
    "EmpiricalFisher",
    "Fisher",
    "GaussNewton",
    "Hessian",
    "Likelihood",
    "RayleighQuotient",
    "Tracker",
    "TrackerState",
    "directional_curvature",
]
