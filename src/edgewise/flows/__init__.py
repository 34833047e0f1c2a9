"""Continuous time beside discrete methods: flows that describe where a method goes, and predict how."""

from edgewise.flows.central_flow import CentralFlow, CentralFlowState
from edgewise.flows.complementarity import Complementarity, complementarity
from edgewise.flows.cost import Cost
from edgewise.flows.flow import AnyFlow, Flow, Prediction

__all__ = [
    "AnyFlow",
    "CentralFlow",
    "CentralFlowState",
    "Complementarity",
    "Cost",
    "Flow",
    "Prediction",
    "complementarity",
]
