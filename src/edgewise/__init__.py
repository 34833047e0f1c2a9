"""edgewise: measure, predict and explain the curvature dynamics of neural-network training.

    import edgewise as ew

The nouns that a user types are here; `ew.problems` is a namespace. Everything is loaded when first used, so
that importing edgewise costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgewise import problems
    from edgewise.curvature import (
        NTK,
        EffectiveHessian,
        EmpiricalFisher,
        Fisher,
        GaussNewton,
        Hessian,
        Tracker,
        directional_curvature,
    )
    from edgewise.diagnosis import Diagnosis, diagnose
    from edgewise.dynamics import (
        Accuracy,
        AccuracyAbove,
        DirectionalCurvature,
        DistanceFromStart,
        Diverged,
        EdgeHeld,
        GradientNorm,
        Loss,
        LossBelow,
        MidpointSharpness,
        Projections,
        Run,
        Sharpness,
        evolve,
        open_run,
    )
    from edgewise.foundation import EdgewiseError
    from edgewise.linalg import diagonal, eigenpairs, spectral_density, trace
    from edgewise.methods import Drop, GradientDescent, HeavyBall
    from edgewise.objectives import (
        CentralDifference,
        DoubleBackward,
        ForwardOverReverse,
        Objective,
        selfcheck,
    )
    from edgewise.problems import Problem

_ROOMS = {
    "curvature": (
        "NTK",
        "EffectiveHessian",
        "EmpiricalFisher",
        "Fisher",
        "GaussNewton",
        "Hessian",
        "Tracker",
        "directional_curvature",
    ),
    "diagnosis": ("Diagnosis", "diagnose"),
    "dynamics": (
        "Accuracy",
        "AccuracyAbove",
        "DirectionalCurvature",
        "DistanceFromStart",
        "Diverged",
        "EdgeHeld",
        "GradientNorm",
        "Loss",
        "LossBelow",
        "MidpointSharpness",
        "Projections",
        "Run",
        "Sharpness",
        "evolve",
        "open_run",
    ),
    "foundation": ("EdgewiseError",),
    "linalg": ("diagonal", "eigenpairs", "spectral_density", "trace"),
    "methods": ("Drop", "GradientDescent", "HeavyBall"),
    "objectives": ("CentralDifference", "DoubleBackward", "ForwardOverReverse", "Objective", "selfcheck"),
    "problems": ("Problem",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}
_NAMESPACES = ("problems",)

__version__ = "0.1.0"

__all__ = [
    "NTK",
    "Accuracy",
    "AccuracyAbove",
    "CentralDifference",
    "Diagnosis",
    "DirectionalCurvature",
    "DistanceFromStart",
    "Diverged",
    "DoubleBackward",
    "Drop",
    "EdgeHeld",
    "EdgewiseError",
    "EffectiveHessian",
    "EmpiricalFisher",
    "Fisher",
    "ForwardOverReverse",
    "GaussNewton",
    "GradientDescent",
    "GradientNorm",
    "HeavyBall",
    "Hessian",
    "Loss",
    "LossBelow",
    "MidpointSharpness",
    "Objective",
    "Problem",
    "Projections",
    "Run",
    "Sharpness",
    "Tracker",
    "diagnose",
    "diagonal",
    "directional_curvature",
    "eigenpairs",
    "evolve",
    "open_run",
    "problems",
    "selfcheck",
    "spectral_density",
    "trace",
]


def __getattr__(name: str) -> Any:
    if name in _NAMESPACES:
        return import_module(f"edgewise.{name}")
    if name in _ROOM_OF:
        return getattr(import_module(f"edgewise.{_ROOM_OF[name]}"), name)
    raise AttributeError(f"module 'edgewise' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
