"""The central flow: the time average of a method, together with the covariance of its oscillation."""

from edgewise.flows.central.central_flow import CentralFlow, CentralFlowState

__all__ = ["CentralFlow", "CentralFlowState"]
