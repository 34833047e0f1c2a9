"""The semidefinite complementarity problem: how strongly critical modes oscillate so that the edge is not crossed.

At the edge of stability an oscillation exists only along modes that are exactly critical, and a mode is kept from
crossing only by an oscillation. Together this is one condition on two positive semidefinite matrices whose product
vanishes: the complementarity of an optimal primal and dual pair, so a conic solver finds both.
"""

import math
from dataclasses import dataclass
from typing import final

import clarabel
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, identity
from torch import Tensor

from edgewise.foundation import FlowError

# What an interior-point method reaches in double precision on problems of this size, with a decade to spare.
_TOLERANCE = 1e-11
_REFINED, _ACCEPTED = 1e-9, 1e-7


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Complementarity:
    """A solution of the semidefinite complementarity problem, with its residuals.

    Attributes:
        solution: X, in float64 on the CPU.
        slack: A + B[X], likewise.
        negativity: how far the smallest eigenvalue of X is below zero, relative to the size of X.
        slack_negativity: the same of A + B[X], relative to ‖A‖.
        gap: |⟨X, A + B[X]⟩|, relative to the size of X times ‖A‖. The size of X is the larger of ‖X‖ and ‖A‖/‖B‖.
        status: `closed form`, or what the conic solver says of itself.
    """

    solution: Float[Tensor, "k k"]
    slack: Float[Tensor, "k k"]
    negativity: float
    slack_negativity: float
    gap: float
    status: str

    @property
    def residual(self) -> float:
        """The largest of the three relative residuals."""
        return max(self.negativity, self.slack_negativity, self.gap)


def complementarity(A: Float[Tensor, "k k"], B: Float[Tensor, "k k k k"]) -> Complementarity:
    """Solve the semidefinite complementarity problem

        0 ≼ X ⟂ A + B[X] ≽ 0,        B[X]ᵢⱼ = Σₖₗ Bᵢⱼₖₗ Xₖₗ

    for symmetric A and a B that is symmetric and positive semidefinite on symmetric matrices. These are the
    optimality conditions of the convex quadratic programme min ½⟨X, B[X]⟩ + ⟨A, X⟩ over X ≽ 0, the slack being its
    dual variable. With k = 1 it is max(0, −A/B); where A ≽ 0 the answer is X = 0; else Clarabel solves it in
    double precision, in the coordinates of the upper triangle with off-diagonal entries times √2, in which
    ⟨X, Y⟩ is the ordinary inner product (every off-diagonal entry stands for two).

    Args:
        A: symmetric.
        B: with Bᵢⱼₖₗ = Bₖₗᵢⱼ = Bⱼᵢₖₗ, and ⟨X, B[X]⟩ ≥ 0.

    Raises:
        FlowError: if there is no such X, or it could not be found to 1e-7.

    Example:
        >>> one = torch.ones(1, 1, dtype=torch.float64)
        >>> complementarity(-3 * one, 2 * one[..., None, None]).solution
        tensor([[1.5000]], dtype=torch.float64)

    References:
        cohen2025understanding
    """
    a, b = A.detach().double().cpu().numpy(), B.detach().double().cpu().numpy()
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise FlowError(
            "an oscillation at the edge",
            "the curvature there is not finite",
            "Stop the run earlier, or type a smaller lr",
        )
    a = (a + a.T) / 2
    if np.linalg.eigvalsh(a).min(initial=0.0) >= 0.0:  # also where there is no mode at all
        return _weighed(a, b, np.zeros_like(a), "closed form")
    if len(a) == 1:
        if b.item() <= 0.0:
            raise _nothing_pushes_back("closed form")
        return _weighed(a, b, -a / b.reshape(1, 1), "closed form")
    return _by_interior_point(a, b)


def _by_interior_point(a: NDArray[np.float64], b: NDArray[np.float64]) -> Complementarity:
    k = len(a)
    columns, rows = np.tril_indices(k)  # the upper triangle, column by column
    weights = np.where(rows == columns, 1.0, math.sqrt(2.0))
    metric = b[rows, columns][:, rows, columns] * weights[:, None] * weights
    metric = (metric + metric.T) / 2
    if not metric.any():
        raise _nothing_pushes_back("closed form")

    def attempt(unit: float) -> Complementarity:
        """The solution, sought in units in which A and X have the size one that tolerances are made for."""
        size_a = float(np.linalg.norm(a))
        solver = clarabel.DefaultSolver(
            csc_matrix(np.triu(metric) * (unit / size_a)),
            a[rows, columns] * weights / size_a,
            -identity(len(rows), format="csc"),
            np.zeros(len(rows)),
            [clarabel.PSDTriangleConeT(k)],
            _settings(),
        )
        outcome = solver.solve()
        if "Infeasible" in str(outcome.status):
            raise _nothing_pushes_back(str(outcome.status))
        x = np.zeros_like(a)
        x[rows, columns] = x[columns, rows] = np.array(outcome.x) / weights * unit
        # An interior point lies inside by the solver's tolerance, or outside by rounding.
        values, vectors = np.linalg.eigh(np.nan_to_num(x))
        return _weighed(a, b, (vectors * values.clip(min=0.0)) @ vectors.T, str(outcome.status))

    found = attempt(float(np.linalg.norm(a) / np.linalg.norm(metric, 2)))
    if found.residual > _REFINED and bool(found.solution.any()):
        found = min(found, attempt(float(found.solution.norm())), key=lambda each: each.residual)
    if found.residual > _ACCEPTED:
        raise FlowError(
            f"an oscillation of {k} modes at the edge, with a residual of {found.residual:.1e}",
            f"the conic solver found none that keeps them from crossing (it says: {found.status})",
            "Type substeps=4, so that less changes at a time, or a smaller lr",
        )
    return found


def _settings() -> clarabel.DefaultSettings:
    settings = clarabel.DefaultSettings()
    settings.verbose, settings.max_threads = False, 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = _TOLERANCE
    # The problem comes in its natural units; equilibrated, the worst residuals are a hundred times larger.
    settings.equilibrate_enable = False
    return settings


def _weighed(
    a: NDArray[np.float64], b: NDArray[np.float64], x: NDArray[np.float64], status: str
) -> Complementarity:
    k = len(a)
    slack = a + np.einsum("ijkl,kl->ij", b, x)
    slack = (slack + slack.T) / 2
    size_a = float(np.linalg.norm(a)) or 1.0
    # B can be tiny where nothing oscillates, and X where a mode only just touches the edge.
    size_b = float(np.linalg.norm(b.reshape(k * k, k * k))) or 1.0
    size_x = max(float(np.linalg.norm(x)), size_a / size_b)
    return Complementarity(
        solution=torch.from_numpy(x),
        slack=torch.from_numpy(slack),
        negativity=abs(float(np.linalg.eigvalsh(x).min(initial=0.0))) / size_x,
        slack_negativity=abs(float(np.linalg.eigvalsh(slack).min(initial=0.0))) / size_a,
        gap=abs(float((x * slack).sum())) / (size_x * size_a),
        status=status,
    )


def _nothing_pushes_back(status: str) -> FlowError:
    return FlowError(
        "modes that cross the edge",
        f"no oscillation along them lowers their curvature, so nothing keeps them back (solver: {status})",
        "Type a smaller lr, or look at the discrete run: it diverges or leaves this valley",
    )
