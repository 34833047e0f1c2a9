"""What a preconditioned method divides by, in continuous time: the second moment of a gradient that oscillates.

An adaptive method averages squared gradients. At the edge of stability most of what it averages is the
oscillation, not the gradient at the average point, so the preconditioner depends on the covariance of the
oscillation, and holds modes at the edge by growing with it.
"""

import math
from dataclasses import dataclass
from functools import singledispatch
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from edgewise.foundation import Parameters, SettingError
from edgewise.methods import AnyMethod, GradientDescent, RMSProp, ScalarRMSProp


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SecondMoment:
    """The second moment ν of the gradient, and the metric P = (√ν + ε)/η that a method makes of it.

    With one step as the unit of time, Σ = Σᵢⱼ Xᵢⱼ uᵢuⱼᵀ the covariance of the oscillation and 2P uᵢ = H uᵢ,

        dν/dt = ((1 − β₂)/β₂) [s(∇L, ∇L) + 4 Σᵢⱼ Xᵢⱼ s(P uᵢ, P uⱼ) − ν]

    where s(a, b) is the product of a and b entry by entry (RMSProp) or their inner product (scalar RMSProp). ν(t)
    is the average that step t divides by, which already holds that step's gradient: hence β₂ in the denominator.
    Gradient descent is the case of a ν that stays at one.

    Attributes:
        beta2: β₂, the share that a step keeps.
        eps: ε, outside the root.
        by_parameter: whether every parameter has a ν of its own.
        first: ν(0) as a share of s(∇L, ∇L) at the start; None for ν = 1.

    References:
        cohen2025understanding
    """

    beta2: float
    eps: float
    by_parameter: bool
    first: float | None

    def begin(self, gradient: Parameters) -> Float[Tensor, "moments"]:
        """ν(0), of one entry or one for each parameter."""
        return gradient.new_ones(1) if self.first is None else self.first * self.product(gradient, gradient)

    def metric(self, nu: Float[Tensor, "moments"], eta: float) -> Float[Tensor, "moments"]:
        """The diagonal of P; one entry where it is a multiple of the identity."""
        return (nu.sqrt() + self.eps) / eta

    def product(self, a: Parameters, b: Parameters) -> Float[Tensor, "moments"]:
        """s(a, b)."""
        return a * b if self.by_parameter else (a @ b)[None]

    def renewed(self, time: float) -> float:
        """The share of ν that is new after `time` steps, 1 − exp(−t(1 − β₂)/β₂): exact for a constant source."""
        return 1.0 if self.beta2 == 0.0 else -math.expm1(-time * (1.0 - self.beta2) / self.beta2)

    def slope(self, nu: Float[Tensor, "moments"], eta: float) -> Float[Tensor, "moments"]:
        """∂P/∂ν = 1/(2η√ν), finite where a parameter never had a gradient."""
        return 0.5 / (eta * nu.clamp_min(torch.finfo(nu.dtype).tiny).sqrt())


@singledispatch
def second_moment(method: AnyMethod) -> SecondMoment:
    """The second moment that a method averages.

    Raises:
        SettingError: if no central flow describes the method.
    """
    name = type(method).__name__
    raise SettingError(
        f"CentralFlow({name}(…))",
        "it describes GradientDescent, ScalarRMSProp and RMSProp; how another method oscillates is not known",
        f"Type CentralFlow(GradientDescent(lr)), or StableFlow({name}(…)) for the flow without an oscillation",
    )


@second_moment.register
def _(method: GradientDescent) -> SecondMoment:
    return SecondMoment(beta2=1.0, eps=0.0, by_parameter=False, first=None)


@second_moment.register
def _(method: ScalarRMSProp) -> SecondMoment:
    # The method starts its average at the first squared gradient norm.
    return SecondMoment(beta2=method.beta2, eps=method.eps, by_parameter=False, first=1.0)


@second_moment.register
def _(method: RMSProp) -> SecondMoment:
    # The method starts its average at zero, and divides by it after the first gradient has joined.
    return SecondMoment(beta2=method.beta2, eps=method.eps, by_parameter=True, first=1.0 - method.beta2)
