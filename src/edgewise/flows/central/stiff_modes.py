"""Stiff modes: the few eigen-directions along which a flow relaxes within a step, integrated exactly.

Near the edge of stability a step of the method is about as long as the relaxation time of the stiffest modes.
Those are followed anyway; along them the linear part of the equation is solved in closed form, and an explicit
rule with that step serves for all others.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from edgewise.curvature import EffectiveHessian, Hessian, Tracker, TrackerState
from edgewise.foundation import FlowError, Parameters, SettingError
from edgewise.linalg import Operator, PositiveDiagonal
from edgewise.objectives import Point


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StiffModes:
    """Eigen-directions of a Hessian H in a metric P, and an exponential integrator on their span.

    With uᵢᵀ P uⱼ = δᵢⱼ and H uᵢ = μᵢ P uᵢ, the equation dw/dt = −P⁻¹(f + H (w − w₀)) leads in the time t
    from w₀ to w₀ − Φ₁ f, and a force that rises from zero to f in that time leads to w₀ − Φ₂ f, where

        Φₙ = t [P⁻¹/n + U (φₙ(tμ) − 1/n) Uᵀ],     φ₁(z) = (1 − e⁻ᶻ)/z,     φ₂(z) = (e⁻ᶻ − 1 + z)/z²

    is exact on the span of these directions; on all others H is left to the force. A predictor with Φ₁ and a
    corrector with Φ₂ are the exponential Runge–Kutta method of order two (ETD2RK).

    Attributes:
        curvatures: μ, descending, in float64 on the CPU; the edge of stability is at μ = 2.
        directions: U, as columns.
        metric: the diagonal of P; one entry where it is a multiple of the identity.

    References:
        cox2002exponential
    """

    curvatures: Float[Tensor, "k"]
    directions: Float[Tensor, "params k"]
    metric: Float[Tensor, "moments"]

    @classmethod
    def read(
        cls, point: Point, metric: Float[Tensor, "moments"], state: TrackerState, tracker: Tracker
    ) -> tuple["StiffModes", TrackerState, int]:
        """The followed modes at a point, the tracker's next state, and the products that the reading cost.

        Raises:
            FlowError: if a product is not finite.
        """
        hessian, unit = Hessian.at(point), 1.0
        operator: Operator = hessian
        if metric.shape[0] == 1:  # the Hessian itself, in other units
            unit = float(metric)
        else:
            operator = EffectiveHessian(hessian, PositiveDiagonal(metric))
        try:
            pairs, state = tracker.read(operator, state, 2.0 * unit, [point.gradient])
        except SettingError as error:  # the settings are in order: a product is not
            raise _left_the_numbers() from error
        modes = cls(
            curvatures=pairs.values.double().cpu() / unit,
            directions=pairs.vectors / metric.sqrt()[:, None],
            metric=metric,
        )
        return modes, state, pairs.products

    def relax(self, force: Parameters, time: float) -> Parameters:
        """Φ₁ f."""
        z = time * self.curvatures
        return self._apply(force, time, 1, torch.where(z.abs() < _SMALL, 1 - z / 2, -torch.expm1(-z) / z))

    def relax_rising(self, force: Parameters, time: float) -> Parameters:
        """Φ₂ f."""
        z = time * self.curvatures
        return self._apply(
            force, time, 2, torch.where(z.abs() < _SMALL, 0.5 - z / 6, (torch.expm1(-z) + z) / z**2)
        )

    def restore(self, displacement: Parameters) -> Parameters:
        """The force that these directions set against a displacement δ, P U μ Uᵀ P δ: their part of H δ."""
        U, P = self.directions, self.metric
        return P * (U @ (self.curvatures.to(U) * (U.T @ (P * displacement))))

    def _apply(self, force: Parameters, time: float, order: int, phi: Float[Tensor, "k"]) -> Parameters:
        U = self.directions
        return time * (force / (order * self.metric) + U @ ((phi - 1 / order).to(U) * (U.T @ force)))


def finite(gradient: Parameters) -> Parameters:
    """The gradient, if every entry is a number.

    Raises:
        FlowError: if one is not.
    """
    if not bool(torch.isfinite(gradient).all()):
        raise _left_the_numbers()
    return gradient


def _left_the_numbers() -> FlowError:
    return FlowError(
        "a central flow that has left the finite numbers",
        "its gradient or a curvature there is infinite or not a number",
        "Type a smaller lr, or substeps=4",
    )


# Below it the first two terms of the series are good to 1e-11, and the closed forms lose no more than that.
_SMALL = 3e-6
