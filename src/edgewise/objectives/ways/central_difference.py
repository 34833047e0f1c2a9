"""Central differences of gradients: no second derivatives at all.

    H v      ≈ [g(w + h v) − g(w − h v)] / 2h
    ∇(uᵀHv)  ≈ [g(w + hu + hv) − g(w + hu − hv) − g(w − hu + hv) + g(w − hu − hv)] / 4h²

Two gradients a product, four a third-order one. The only way under sharded data parallelism, and the
independent reference of the other two; in float32 good to about three digits.
"""

from dataclasses import dataclass
from typing import final

import torch

from edgewise.foundation import Parameters, SettingError
from edgewise.objectives.terms import Terms
from edgewise.objectives.ways.way import Linearization, Way, plain_gradient


@final
@dataclass(frozen=True, slots=True)
class CentralDifference(Way):
    """Differences of gradients over a distance `step` in parameter space.

    Attributes:
        step: h‖v‖, the distance moved; None takes ε^(1/3) (1 + ‖w‖), where truncation and rounding balance
            for a first difference (ε^(1/4) for the second differences of third-order products).
    """

    step: float | None = None

    def __post_init__(self) -> None:
        if self.step is not None and not self.step > 0:
            raise SettingError(f"step={self.step}", "a difference needs a positive distance", "Type step=None")

    def linearize(self, terms: Terms, w: Parameters) -> Linearization:
        """Evaluate the gradient at w."""
        return _Difference(terms, w, self.step)


@final
class _Difference(Linearization):
    def __init__(self, terms: Terms, w: Parameters, step: float | None) -> None:
        self.terms, self.w, self.step = terms, w.detach(), step
        self.evaluation = plain_gradient(terms, w)

    def product(self, v: Parameters) -> Parameters:
        length = v.norm()
        if length == 0:
            return torch.zeros_like(v)
        h = self._distance(1 / 3) / length
        return (self._gradient(h * v) - self._gradient(-h * v)) / (2 * h)

    def third(self, u: Parameters, v: Parameters) -> Parameters:
        if u.norm() == 0 or v.norm() == 0:
            return torch.zeros_like(v)
        distance = self._distance(1 / 4)
        a, b = distance / u.norm() * u, distance / v.norm() * v
        second = self._gradient(a + b) - self._gradient(a - b) - self._gradient(b - a) + self._gradient(-a - b)
        return second * (u.norm() * v.norm() / (4 * distance**2))

    def _distance(self, power: float) -> float:
        if self.step is not None:
            return self.step
        return float(torch.finfo(self.w.dtype).eps ** power * (1 + self.w.norm()))

    def _gradient(self, displacement: Parameters) -> Parameters:
        return plain_gradient(self.terms, self.w + displacement).gradient
