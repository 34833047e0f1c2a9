"""Continuous time beside discrete methods: flows that describe where a method goes, and predict how."""

from edgewise.flows.central_flow import CentralFlow, CentralFlowState
from edgewise.flows.complementarity import Complementarity, complementarity
from edgewise.flows.constrained_flow import ConstrainedFlow, ConstrainedFlowState
from edgewise.flows.cost import Cost
from edgewise.flows.edge_constraint import CriticalModes
from edgewise.flows.edge_flow import EdgeFlow, EdgeFlowState
from edgewise.flows.flow import AnyFlow, Flow, Prediction
from edgewise.flows.limiting_flow import LimitingFlow, LimitingFlowState
from edgewise.flows.predicted_dynamics import (
    Displacement,
    PredictedDynamics,
    PredictedDynamicsState,
    predict_dynamics,
)
from edgewise.flows.rod_flow import RodFlow, RodFlowState
from edgewise.flows.symmetrized import Ends

__all__ = [
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
    "LimitingFlow",
    "LimitingFlowState",
    "PredictedDynamics",
    "PredictedDynamicsState",
    "Prediction",
    "RodFlow",
    "RodFlowState",
    "complementarity",
    "predict_dynamics",
]
