"""Ways of taking second and third derivatives, one per file, interchangeable."""

from edgewise.objectives.ways.central_difference import CentralDifference
from edgewise.objectives.ways.double_backward import DoubleBackward
from edgewise.objectives.ways.forward_over_reverse import ForwardOverReverse
from edgewise.objectives.ways.way import Evaluation, Linearization, Way, plain_gradient

__all__ = [
    "CentralDifference",
    "DoubleBackward",
    "Evaluation",
    "ForwardOverReverse",
    "Linearization",
    "Way",
    "plain_gradient",
]
