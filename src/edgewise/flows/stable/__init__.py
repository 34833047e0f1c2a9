"""The stable flow of every method: what is left of it as its step size goes to zero."""

from edgewise.flows.stable.stable_flow import StableFlow, StableFlowState

__all__ = ["StableFlow", "StableFlowState"]
