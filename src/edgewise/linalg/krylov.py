"""What every solver of this room stands on: an orthonormal basis that grows by one product at a time.

The basis W = [V, D] holds *closed* directions V, to which A has been applied, and *open* directions D,
which those products lead to. At all times, to rounding,

    A V = W H = V T + D B,    T = Vᵀ A V,

so for an eigenpair (θ, s) of the small T the Ritz vector is u = V s, its residual is A u − θ u = D B s, and
‖B s‖ is the residual norm, without a product. One open direction is Lanczos; several are block Krylov;
closing the combination D (B s) first is Davidson's method without a preconditioner. Replacing V by its
leading Ritz vectors keeps the relation, and is a thick restart (wu2000thick).

Orthogonalisation is full (classical Gram–Schmidt, two matrix-vector products a pass, a second pass where most
of a vector was cancelled); the projected problem is solved in float64 on the CPU.

References:
    wu2000thick, stewart2002krylov, daniel1976reorthogonalization
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from edgewise.foundation import Block, SettingError
from edgewise.linalg.bounds import error_bounds, rounding
from edgewise.linalg.operator import Operator
from edgewise.linalg.result import Eigenpairs, Status


@final
@dataclass(frozen=True, slots=True)
class Ritz:
    """The Rayleigh–Ritz values of a basis, all float64 on the CPU, and how good the wanted ones are.

    Attributes:
        values: θ, descending, all of them.
        coefficients: s, as columns.
        outside: B s, as columns: the residuals in the open directions.
        bounds: error bounds of the wanted values, rounding included.
        tolerance: the bound a wanted pair has to reach, rtol × the largest wanted |θ|.
        rounding: the part of the bounds that no further product removes.
    """

    values: Tensor
    coefficients: Tensor
    outside: Tensor
    bounds: Tensor
    tolerance: float
    rounding: float

    @property
    def converged(self) -> Tensor:
        """Whether each wanted pair is within the tolerance."""
        return self.bounds <= self.tolerance

    @property
    def unfinished(self) -> Tensor:
        """Which wanted pairs further products would improve: not those that only rounding holds back."""
        return self.bounds > max(self.tolerance, 2 * self.rounding)

    @property
    def residual_direction(self) -> Tensor:
        """The open direction that holds most of the residuals standing between the bounds and the tolerance.

        They are those of the unfinished pairs and of every pair that may yet turn out above one of them. For
        a single pair it is its residual.
        """
        reaches = self.values + self.outside.norm(dim=0)
        lowest = self.values[: self.bounds.shape[0]][self.unfinished].min()
        directions: Tensor = torch.linalg.svd(self.outside[:, reaches >= lowest])[0]
        return directions[:, 0]


@final
class KrylovBasis:
    """The basis W = [V, D] and the projection H of an operator A, with A V = W H.

    A workspace, changed in place by the solver that made it.

    Args:
        operator: A.
        block: the directions to begin with; dependent columns are dropped.
        capacity: the most closed directions there will be.
    """

    def __init__(self, operator: Operator, block: Block, capacity: int) -> None:
        self._operator = operator
        rows = min(operator.size, capacity + block.shape[1] + 1)
        # Directions are rows, so that each is contiguous.
        self._basis = torch.empty(rows, operator.size, dtype=operator.dtype, device=operator.device)
        self._projection = torch.zeros(rows, rows, dtype=torch.float64)
        self._closed = self._width = self._products = 0
        for column in block.T:
            self._append(column)
        if self._width == 0:
            raise SettingError(
                f"start vectors of shape {tuple(block.shape)} that are all zero",
                "they point nowhere",
                "Give vectors that are not zero, or none: the solver then starts from a random one",
            )
        images = operator.matmat(self._basis[: self._width].T)
        self._products = self._closed = self._width
        for j, image in enumerate(images.T):
            self._record(j, image)

    @property
    def closed(self) -> int:
        """How many directions A has been applied to since the last restart, kept Ritz vectors included."""
        return self._closed

    @property
    def open(self) -> int:
        """How many directions the products lead to."""
        return self._width - self._closed

    @property
    def lead(self) -> Tensor:
        """Where the last product led, in the open directions: to close it is a step of Lanczos."""
        return self._lead

    @property
    def products(self) -> int:
        """How many products it has made."""
        return self._products

    @property
    def complete(self) -> bool:
        """Whether the closed directions span the whole space."""
        return self._closed == self._operator.size

    def close(self, direction: Tensor) -> None:
        """Apply A to a combination of the open directions: one product.

        Args:
            direction: its coefficients in the open directions.
        """
        self._rotate(direction)
        image = self._operator.matvec(self._basis[self._closed])
        self._products += 1
        self._closed += 1
        self._record(self._closed - 1, image)

    def close_random(self, generator: torch.Generator) -> None:
        """Apply A to a random direction orthogonal to the closed ones.

        It has its share of the open directions too: the residual of two mixed eigenvectors points along the
        very copy that is missing.
        """
        self.close_toward(random_vector(self._operator, generator))

    def close_toward(self, vector: Tensor) -> None:
        """Apply A to what of a vector is orthogonal to the closed directions; nothing if nothing is."""
        coefficients = self._append(vector)[self._closed :]
        if bool(coefficients.any()):
            self.close(coefficients)

    def ritz(self, wanted: int, rtol: float, guards: int = 0, reach: float | None = None) -> Ritz:
        """Solve the projected problem and judge the `wanted` largest pairs (fewer, while there are fewer).

        Args:
            wanted: how many to judge.
            rtol: the tolerance, relative to the largest of them in magnitude.
            guards: how many pairs after them are expected to be eigenpairs too, and may share their cluster.
            reach: what every eigenvalue outside the basis is known to lie below.
        """
        m = self._closed
        T = self._projection[:m, :m]
        values, coefficients = torch.linalg.eigh((T + T.T) / 2)
        values, coefficients = values.flip(0), coefficients.flip(1)
        outside = self._projection[m : self._width, :m] @ coefficients
        floor = rounding(values, self._operator.dtype)
        bounds = error_bounds(values, outside.norm(dim=0), min(wanted + guards, m), reach)[:wanted] + floor
        return Ritz(values, coefficients, outside, bounds, rtol * float(values[:wanted].abs().max()), floor)

    def restart(self, ritz: Ritz, keep: int) -> None:
        """Replace the closed directions by the `keep` leading Ritz vectors; the open ones stay."""
        m, d = self._closed, self.open
        self._basis[:keep] = self.vectors(ritz, keep).T
        self._basis[keep : keep + d] = self._basis[m : self._width].clone()
        self._projection.zero_()
        self._projection[:keep, :keep] = torch.diag(ritz.values[:keep])
        self._projection[keep : keep + d, :keep] = ritz.outside[:, :keep]
        self._closed, self._width = keep, keep + d

    def vectors(self, ritz: Ritz, count: int) -> Block:
        """The leading Ritz vectors u = V s, as columns."""
        s = ritz.coefficients[:, :count].to(self._basis)
        return (s.T @ self._basis[: self._closed]).T

    def eigenpairs(self, ritz: Ritz, vectors: Block) -> Eigenpairs:
        """The pairs of the given leading Ritz vectors, with why they are as good as they are."""
        wanted = vectors.shape[1]
        if self.complete:
            status = Status.COMPLETE
        elif bool(ritz.converged.all()) and self._closed >= wanted:
            status = Status.CONVERGED
        elif bool(ritz.unfinished.any()) or self._closed < wanted:
            status = Status.BUDGET
        else:
            status = Status.ROUNDING
        return Eigenpairs(
            values=ritz.values[:wanted].to(vectors),
            vectors=vectors,
            residuals=ritz.outside[:, :wanted].norm(dim=0).clamp(min=ritz.rounding).to(vectors),
            bounds=ritz.bounds.to(vectors),
            converged=ritz.converged.to(vectors.device),
            products=self._products,
            status=status,
        )

    def _rotate(self, direction: Tensor) -> None:
        """Reflect the open directions so that the first of them is `direction` (Householder)."""
        if self.open == 1:
            return
        mirror = direction / direction.norm()
        mirror[0] += 1.0 if mirror[0] >= 0 else -1.0
        mirror /= mirror.norm()
        rows, columns = slice(self._closed, self._width), slice(0, self._closed)
        z = mirror.to(self._basis)
        self._basis[rows].addr_(z, z @ self._basis[rows], alpha=-2)
        B = self._projection[rows, columns]
        B -= 2 * torch.outer(mirror, mirror @ B)

    def _record(self, j: int, image: Tensor) -> None:
        """Write the product of closed direction j as column j of the projection."""
        # Below the rounding errors of larger products there is no direction, only noise.
        coefficients = self._append(image, scale=float(self._projection.abs().max()))
        self._projection[: coefficients.shape[0], j] = coefficients
        self._lead = coefficients[self._closed :]

    def _append(self, vector: Tensor, scale: float = 0.0) -> Tensor:
        """Make a copy of `vector` orthogonal to the basis, and add what is left as an open direction.

        Nothing is added where what is left is rounding error, relative to `vector` or to `scale`.

        Returns:
            The coefficients of `vector` in the basis, the new direction's last if there is one.
        """
        norm = float(vector.norm())
        if not math.isfinite(norm):
            raise SettingError(
                "an operator whose product has NaN or infinite entries",
                "it has no eigenvalues",
                "Check that the loss and its gradient are finite at this point, or use float64",
            )
        if self._width == self._basis.shape[0]:
            self._grow()
        # In the row where it will stay: at this size a vector more is a millisecond more.
        w = self._basis[self._width].copy_(vector)
        W = self._basis[: self._width]
        coefficients = torch.zeros(self._width, dtype=torch.float64)
        rest = norm
        # Once, and again where most was cancelled (daniel1976reorthogonalization).
        for _ in range(2):
            h = W @ w
            w.addmv_(W.T, h, alpha=-1)
            coefficients += h.cpu().double()
            before, rest = rest, float(w.norm())
            if rest > before / 2:
                break
        if self._width == self._operator.size or rest <= 10 * torch.finfo(w.dtype).eps * max(norm, scale):
            return coefficients
        w /= rest
        self._width += 1
        return torch.cat([coefficients, torch.tensor([rest], dtype=torch.float64)])

    def _grow(self) -> None:
        """Make room for a few directions more: random ones come on top of the capacity."""
        more = 4
        self._basis = torch.cat([self._basis, self._basis.new_empty(more, self._operator.size)])
        self._projection = torch.nn.functional.pad(self._projection, (0, more, 0, more))


def random_vector(operator: Operator, generator: torch.Generator) -> Tensor:
    """A Gaussian vector for `operator`, drawn on the generator's device."""
    v = torch.randn(operator.size, generator=generator, dtype=operator.dtype, device=generator.device)
    return v.to(operator.device)


def check_request(operator: Operator, k: int, rtol: float) -> None:
    """Refuse a number of pairs or a tolerance that no solver can serve."""
    if not 1 <= k <= operator.size:
        raise SettingError(
            f"k={k} eigenpairs of an operator of size {operator.size}",
            "it has as many as its size, and at least one is asked for",
            f"Type k=1 up to k={operator.size}",
        )
    if not 0 < rtol < 1:
        raise SettingError(f"rtol={rtol}", "a relative tolerance lies between 0 and 1", "Type rtol=1e-4")


def check_block(operator: Operator, block: Tensor, k: int) -> None:
    """Refuse start vectors that do not belong to the operator, or are fewer than `k`."""
    fits = block.ndim == 2 and block.shape[0] == operator.size and block.shape[1] >= k
    if not fits or block.dtype != operator.dtype or block.device != operator.device:
        raise SettingError(
            f"{block.dtype} start vectors of shape {tuple(block.shape)} on {block.device} for {operator!r}",
            f"they are the columns of a {operator.dtype} tensor of {operator.size} rows and at least {k} "
            f"column{'s' if k > 1 else ''} on {operator.device}",
            f'Type start.reshape({operator.size}, -1).to("{operator.device}", {operator.dtype})',
        )
