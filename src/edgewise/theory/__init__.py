"""What the theory of training dynamics says: numbers in, numbers out, no training."""

from edgewise.theory.maps import iterate
from edgewise.theory.normalized import (
    normalized_flow_rate,
    normalized_gradient_sum,
    normalized_root_loss_sum,
    sqrt_loss_flow_rate,
    sqrt_loss_root_loss_sum,
    stableness_balance,
)
from edgewise.theory.sam import sam_edge
from edgewise.theory.self_stabilization import SelfStabilization
from edgewise.theory.stochastic import stochastic_sharpness_gap

__all__ = [
    "SelfStabilization",
    "iterate",
    "normalized_flow_rate",
    "normalized_gradient_sum",
    "normalized_root_loss_sum",
    "sam_edge",
    "sqrt_loss_flow_rate",
    "sqrt_loss_root_loss_sum",
    "stableness_balance",
    "stochastic_sharpness_gap",
]
