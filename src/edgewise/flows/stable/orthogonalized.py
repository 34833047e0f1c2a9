"""The drift of Muon: the gradient itself made orthogonal, since its average follows it at once."""

from dataclasses import dataclass
from typing import final

from edgewise.flows.stable.drift import Drift, Motion, Seen
from edgewise.linalg import Preconditioner
from edgewise.methods import Muon, MuonState


@final
@dataclass(frozen=True, slots=True)
class Orthogonalized(Drift):
    """dw/dτ = −s f(g) on every matrix, −g on what is none.

    f(U σ Vᵀ) = U f(σ) Vᵀ is the polynomial of Newton and Schulz, on the matrix divided by its norm. Momentum, an
    average of gradients that hardly change, is the gradient. Were f = 1, and nearly so as it is, the derivative of
    f(g) would be at most twice P⁻¹, P = U diag(σ/(s f(σ))) Uᵀ: in the singular basis it takes a pair of entries
    (i, j) and (j, i) to ± their difference over σᵢ + σⱼ, and one beside the square part to itself over σᵢ.

    Attributes:
        method: the method at step size 1 without decay, in the precision of w.
    """

    method: Muon

    def preconditioner(self, seen: Seen) -> Preconditioner:
        """P with P⁻¹ g = s f(g), found when it is asked for a power or a product."""
        return self.method.preconditioner(seen.w, seen.gradient, self._state(seen))

    def at(self, seen: Seen) -> Motion:
        """−s f(g), with twice P^(-1/2) H P^(-1/2) behind it."""
        step, _ = self.method.step(seen.w.new_zeros(seen.w.shape), seen.gradient, self._state(seen))
        return Motion(velocity=step, metric=self.preconditioner(seen), rate=lambda S: 2.0 * S)

    def _state(self, seen: Seen) -> MuonState:
        """With an average that is the gradient, so that momentum, Nesterov's too, changes nothing."""
        return MuonState(step=0, average=seen.gradient)
