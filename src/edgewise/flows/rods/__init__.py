"""Two iterates as a centre and half a displacement: edge flow and rod flow."""

from edgewise.flows.rods.edge_flow import EdgeFlow, EdgeFlowState
from edgewise.flows.rods.rod_flow import RodFlow, RodFlowState
from edgewise.flows.rods.symmetrized import Ends

__all__ = ["EdgeFlow", "EdgeFlowState", "Ends", "RodFlow", "RodFlowState"]
