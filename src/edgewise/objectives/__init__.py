"""L(w) as a black box with derivatives."""

from edgewise.objectives.objective import Objective
from edgewise.objectives.point import Point
from edgewise.objectives.supervised import SupervisedChunk, SupervisedTerms
from edgewise.objectives.ways import (
    CentralDifference,
    DoubleBackward,
    Evaluation,
    ForwardOverReverse,
    Way,
)

__all__ = [
    "CentralDifference",
    "DoubleBackward",
    "Evaluation",
    "ForwardOverReverse",
    "Objective",
    "Point",
    "SupervisedChunk",
    "SupervisedTerms",
    "Way",
]
