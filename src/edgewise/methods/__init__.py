"""Ways of descending: discrete methods, each of which says where it loses stability."""

from edgewise.methods.gradient_descent import GradientDescent, GradientDescentState
from edgewise.methods.heavy_ball import HeavyBall, HeavyBallState
from edgewise.methods.method import AnyMethod, Method
from edgewise.methods.schedule import Constant, Drop, Schedule, step_size
from edgewise.methods.stability import critical_curvature_by_bisection, spectral_radius

__all__ = [
    "AnyMethod",
    "Constant",
    "Drop",
    "GradientDescent",
    "GradientDescentState",
    "HeavyBall",
    "HeavyBallState",
    "Method",
    "Schedule",
    "critical_curvature_by_bisection",
    "spectral_radius",
    "step_size",
]
