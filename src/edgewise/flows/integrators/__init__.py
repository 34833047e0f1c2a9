"""Integrators of y' = f(y) whose stiffness is nearly real; each declares its order."""

from edgewise.flows.integrators.integrator import Integrator, Place, Trial, VectorField, require_integrator
from edgewise.flows.integrators.marching import begin, march, resume
from edgewise.flows.integrators.rk4 import RK4
from edgewise.flows.integrators.rkc2 import RKC2
from edgewise.flows.integrators.rkc3 import RKC3
from edgewise.flows.integrators.rock4 import ROCK4
from edgewise.flows.integrators.stride import Stride

__all__ = [
    "RK4",
    "RKC2",
    "RKC3",
    "ROCK4",
    "Integrator",
    "Place",
    "Stride",
    "Trial",
    "VectorField",
    "begin",
    "march",
    "require_integrator",
    "resume",
]
