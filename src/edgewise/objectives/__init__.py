"""L(w) as a black box with derivatives."""

from edgewise.objectives.differences import DerivativeCheck
from edgewise.objectives.objective import Objective
from edgewise.objectives.point import Point
from edgewise.objectives.selfcheck import SelfCheck, selfcheck
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
    "DerivativeCheck",
    "DoubleBackward",
    "Evaluation",
    "ForwardOverReverse",
    "Objective",
    "Point",
    "SelfCheck",
    "SupervisedChunk",
    "SupervisedTerms",
    "Way",
    "selfcheck",
]
