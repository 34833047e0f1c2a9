"""Methods around methods: decay, part of the gradient, an edge ratio to keep, a method for each group."""

from edgewise.methods.wrappers.block_diagonal import BlockDiagonal
from edgewise.methods.wrappers.curvature_driven import AtEdgeRatio, AtEdgeRatioState
from edgewise.methods.wrappers.parameter_groups import ParameterGroups, ParameterGroupsState
from edgewise.methods.wrappers.projected import Projected, ProjectedState
from edgewise.methods.wrappers.weight_decay import DecoupledWeightDecay, WeightDecay

__all__ = [
    "AtEdgeRatio",
    "AtEdgeRatioState",
    "BlockDiagonal",
    "DecoupledWeightDecay",
    "ParameterGroups",
    "ParameterGroupsState",
    "Projected",
    "ProjectedState",
    "WeightDecay",
]
