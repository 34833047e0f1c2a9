"""What the spectral radius does not say: how far a stable mode can grow before it decays.

A companion matrix J is not normal, so ‖Jᵗ‖ can rise far above one although ρ(J) < 1. The condition number of
the eigenvectors bounds the rise, and is infinite wherever two roots meet, although nothing happens there; the
Kreiss constant bounds it from both sides.
"""

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from edgewise.foundation import SettingError
from edgewise.methods.requirements import shown

# Powers are followed for so many steps; a mode that has not begun to shrink by then is at its edge.
_HORIZON = 10_000
# How far rounding may put the spectral radius of a method at its critical curvature above one.
_ROUNDING = 1e-12
_NEGLIGIBLE = 1e-200
_FIX = "Give a companion matrix, as in Transient.of(method.companion(curvature))"
# Where the resolvent is looked at first: log(|z| − 1) and the angle of z. Nearer to the circle than 1e-7 the
# rounding of an eigenvalue on it would show.
_LOG_RADII = np.linspace(math.log(1e-7), math.log(1e3), 80)
_ANGLES = np.linspace(0.0, math.pi, 97)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Transient:
    """How a linear update J behaves in the long run, and on the way there.

        K = sup over |z| > 1 of (|z| − 1) ‖(z − J)⁻¹‖ ≤ maxₜ ‖Jᵗ‖ ≤ e n K    (Kreiss; n the size of J),
        maxₜ ‖Jᵗ‖ ≤ κ(V) for ρ(J) ≤ 1.

    All norms are spectral.

    Attributes:
        spectral_radius: ρ(J); below one every start decays in the end.
        eigenvector_condition: κ(V) = ‖V‖ ‖V⁻¹‖ of the eigenvectors, each of unit length; infinite, or as large
            as rounding lets it be, where there are not enough of them: where two roots meet (for heavy ball
            at ηλ = (1 ∓ √β)²).
        kreiss_constant: K; infinite for ρ(J) > 1. The supremum is resolved down to |z| − 1 = 1e-7.
        growth: maxₜ ‖Jᵗ‖ over t = 0, 1, …; infinite for ρ(J) > 1, and for ρ(J) = 1 the largest of 10,000
            steps.

    References:
        trefethen2005spectra, kreiss1962stabilitatsdefinition
    """

    spectral_radius: float
    eigenvector_condition: float
    kreiss_constant: float
    growth: float

    @classmethod
    def of(cls, matrix: NDArray[np.float64]) -> "Transient":
        """That of a companion matrix, such as `method.companion(curvature)`.

        Args:
            matrix: J, real, square and small: the resolvent is searched over the plane.

        Raises:
            SettingError: if `matrix` is not real, square and finite.

        Example:
            >>> from edgewise.methods import GradientDescent, HeavyBall
            >>> Transient.of(GradientDescent(0.01).companion(100.0)).growth
            1.0
            >>> slow = Transient.of(HeavyBall(0.01, 0.99).companion(0.1))
            >>> slow.spectral_radius < 1, round(slow.kreiss_constant, 1), round(slow.growth, 1)
            (True, 26.8, 50.3)
        """
        J = _real(matrix)
        if J.ndim != 2 or J.shape[0] != J.shape[1] or not J.size or not np.isfinite(J).all():
            raise SettingError(
                f"a matrix of shape {J.shape}",
                "powers of it need it to be square and finite",
                _FIX,
            )
        # LAPACK balances a matrix before it takes its eigenvectors, and loses them to entries near underflow.
        J = np.where(np.abs(J) > _NEGLIGIBLE * np.abs(J).max(), J, 0.0)
        eigenvalues, V = np.linalg.eig(J)
        radius = float(np.abs(eigenvalues).max())
        unstable = radius > 1.0 + _ROUNDING
        return cls(
            spectral_radius=radius,
            eigenvector_condition=_condition(V),
            kreiss_constant=math.inf if unstable else _kreiss(J, eigenvalues),
            growth=math.inf if unstable else _growth(J),
        )


def _real(matrix: Any) -> NDArray[np.float64]:
    try:
        J = np.asarray(matrix)
    except (TypeError, ValueError, RuntimeError):  # rows of different lengths; a tensor with a graph
        J = np.asarray(None)
    if J.dtype.kind not in "iuf":
        raise SettingError(f"Transient.of({shown(matrix)})", "that is no matrix of real numbers", _FIX)
    return J.astype(np.float64)


def _condition(V: NDArray[np.inexact[Any]]) -> float:
    lengths = np.linalg.svd(V / np.linalg.norm(V, axis=0), compute_uv=False)
    return float(lengths[0] / lengths[-1]) if lengths[-1] > 0.0 else math.inf


def _growth(J: NDArray[np.float64]) -> float:
    power, growth = J, 1.0
    for _ in range(_HORIZON):
        size = float(np.linalg.norm(power, 2))
        # What follows is at most this times what came before.
        if size <= 1.0:
            break
        growth, power = max(growth, size), power @ J
    return growth


def _kreiss(J: NDArray[np.float64], eigenvalues: NDArray[np.inexact[Any]]) -> float:
    """A grid over the plane outside the unit disc, then an ascent from its best points.

    The supremum lies near the circle, at the angle of an eigenvalue that is near it, or far out, where the
    quotient tends to one. J is real, so the upper half of the plane is enough.
    """

    def quotient(log_radius: NDArray[np.float64], angle: NDArray[np.float64]) -> NDArray[np.float64]:
        beyond = np.exp(np.maximum(log_radius, _LOG_RADII[0]))
        z = (1.0 + beyond) * np.exp(1j * angle)
        shifted = z[..., None, None] * np.eye(len(J)) - J
        return beyond / np.linalg.svd(shifted, compute_uv=False)[..., -1]

    angles = np.union1d(_ANGLES, np.abs(np.angle(eigenvalues)))
    values = quotient(*np.meshgrid(_LOG_RADII, angles, indexing="ij"))
    best = max(1.0, float(values.max()))
    for place in np.argsort(values, axis=None)[-5:]:
        row, column = np.unravel_index(place, values.shape)
        start = np.array([_LOG_RADII[row], angles[column]])
        found = minimize(
            lambda x: -float(quotient(x[:1], x[1:])[0]),
            start,
            method="Nelder-Mead",
            options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 400},
        )
        best = max(best, -float(found.fun))
    return best
