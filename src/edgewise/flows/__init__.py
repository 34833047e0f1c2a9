"""Continuous time beside discrete methods: flows that describe where a method goes, and predict how."""

from edgewise.flows.cost import Cost
from edgewise.flows.flow import AnyFlow, Flow, Prediction

__all__ = [
    "AnyFlow",
    "Cost",
    "Flow",
    "Prediction",
]
