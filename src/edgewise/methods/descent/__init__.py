"""Steps along the gradient that is looked at: all of it, its direction, a part of the data, somewhere uphill."""

from edgewise.methods.descent.gradient_descent import GradientDescent, GradientDescentState
from edgewise.methods.descent.normalized import NormalizedGD, NormalizedGDState, length
from edgewise.methods.descent.sam import SAM, SAMState
from edgewise.methods.descent.sgd import SGD, SGDState
from edgewise.methods.descent.sqrt_loss import SqrtLossGD, SqrtLossGDState

__all__ = [
    "SAM",
    "SGD",
    "GradientDescent",
    "GradientDescentState",
    "NormalizedGD",
    "NormalizedGDState",
    "SAMState",
    "SGDState",
    "SqrtLossGD",
    "SqrtLossGDState",
    "length",
]
