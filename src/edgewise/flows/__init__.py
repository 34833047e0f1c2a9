"""Continuous time beside discrete methods: flows that describe where a method goes, and predict how."""

from edgewise.flows.central_flow import CentralFlow, CentralFlowState
from edgewise.flows.complementarity import Complementarity, complementarity
from edgewise.flows.constrained_flow import ConstrainedFlow, ConstrainedFlowState
from edgewise.flows.cost import Cost
from edgewise.flows.edge_constraint import CriticalModes
from edgewise.flows.edge_flow import EdgeFlow, EdgeFlowState
from edgewise.flows.flow import AnyFlow, Flow, Prediction
from edgewise.flows.gradient_flow import GradientFlow, GradientFlowState
from edgewise.flows.integrators import RK4, RKC2, RKC3, ROCK4, Integrator, Stride
from edgewise.flows.limiting_flow import LimitingFlow, LimitingFlowState
from edgewise.flows.predicted_dynamics import (
    Displacement,
    PredictedDynamics,
    PredictedDynamicsState,
    predict_dynamics,
)
from edgewise.flows.rod_flow import RodFlow, RodFlowState
from edgewise.flows.stable_flow import StableFlow, StableFlowState
from edgewise.flows.symmetrized import Ends

__all__ = [
    "RK4",
    "RKC2",
    "RKC3",
    "ROCK4",
    "AnyFlow",
    "CentralFlow",
    "CentralFlowState",
    "Complementarity",
    "ConstrainedFlow",
    "ConstrainedFlowState",
    "Cost",
    "CriticalModes",
    "Displacement",
    "EdgeFlow",
    "EdgeFlowState",
    "Ends",
    "Flow",
    "GradientFlow",
    "GradientFlowState",
    "Integrator",
    "LimitingFlow",
    "LimitingFlowState",
    "PredictedDynamics",
    "PredictedDynamicsState",
    "Prediction",
    "RodFlow",
    "RodFlowState",
    "StableFlow",
    "StableFlowState",
    "Stride",
    "complementarity",
    "predict_dynamics",
]
