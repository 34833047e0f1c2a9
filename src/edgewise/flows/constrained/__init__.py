"""Self-stabilisation: the trajectory constrained to the stable side of the edge, and the displacement from it."""

from edgewise.flows.constrained.constrained_flow import (
    ConstrainedFlow,
    ConstrainedFlowState,
    require_gradient_descent,
)
from edgewise.flows.constrained.edge_constraint import CriticalModes
from edgewise.flows.constrained.predicted_dynamics import (
    Displacement,
    PredictedDynamics,
    PredictedDynamicsState,
    predict_dynamics,
)

__all__ = [
    "ConstrainedFlow",
    "ConstrainedFlowState",
    "CriticalModes",
    "Displacement",
    "PredictedDynamics",
    "PredictedDynamicsState",
    "predict_dynamics",
    "require_gradient_descent",
]
