"""Continuous time beside discrete methods: flows that describe where a method goes, and predict how."""

from edgewise.flows.central import CentralFlow, CentralFlowState
from edgewise.flows.complementarity import Complementarity, complementarity
from edgewise.flows.constrained import (
    ConstrainedFlow,
    ConstrainedFlowState,
    CriticalModes,
    Displacement,
    PredictedDynamics,
    PredictedDynamicsState,
    predict_dynamics,
)
from edgewise.flows.cost import Cost
from edgewise.flows.flow import AnyFlow, Flow, Prediction
from edgewise.flows.gradient_flow import GradientFlow, GradientFlowState
from edgewise.flows.integrators import RK4, RKC2, RKC3, ROCK4, Integrator, Stride
from edgewise.flows.limiting_flow import LimitingFlow, LimitingFlowState
from edgewise.flows.rods import EdgeFlow, EdgeFlowState, Ends, RodFlow, RodFlowState
from edgewise.flows.stable import StableFlow, StableFlowState

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
