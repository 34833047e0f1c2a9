"""A matrix is its action.

An `Operator` is a real symmetric matrix A ∈ ℝⁿˣⁿ of which nothing is known but v ↦ A v. Products are
what an eigensolver pays with, so every operator counts its own. Sums, multiples and congruences of
operators are operators; no matrix is ever formed.

    Operator
    ├── Function       a matvec from a callable
    ├── Diagonal       diag(d)
    ├── Sum            A + B
    ├── Scaled         c A
    └── Conjugation    D A D for a symmetric D
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from edgewise.foundation import Block, SettingError, Vector


class Operator(ABC):
    """A real symmetric linear operator A, known by its action on vectors.

    A subclass implements `_apply`, and `_apply_block` where a block is cheaper than its columns one by
    one; checking and counting happen here.

    Args:
        size: n, the dimension it acts on.
        dtype: float32 or float64.
        device: where its vectors live.

    Raises:
        SettingError: if `size` is below one or `dtype` is neither float32 nor float64.
    """

    def __init__(self, size: int, dtype: torch.dtype, device: torch.device | str = "cpu") -> None:
        if size < 1:
            raise SettingError(
                f"an operator of size {size}", "it acts on vectors of at least one entry", "Type size=1 or more"
            )
        if dtype not in (torch.float32, torch.float64):
            raise SettingError(
                f"an operator of dtype {dtype}",
                "eigenvalues need at least single precision and real entries",
                "Type dtype=torch.float32 or dtype=torch.float64",
            )
        # Asking a tensor turns "cuda" into "cuda:0", as the vectors will say of themselves.
        self._size, self._dtype, self._device = size, dtype, torch.empty(0, device=device).device
        self._products = 0

    @property
    def size(self) -> int:
        """The dimension n it acts on."""
        return self._size

    @property
    def dtype(self) -> torch.dtype:
        """The precision of its vectors."""
        return self._dtype

    @property
    def device(self) -> torch.device:
        """Where its vectors live."""
        return self._device

    @property
    def products(self) -> int:
        """How many vectors it has been applied to so far; a block counts its columns."""
        return self._products

    def matvec(self, v: Vector) -> Vector:
        """The product A v."""
        self._check(v, dimensions=1)
        self._products += 1
        return self._apply(v)

    def matmat(self, V: Block) -> Block:
        """The products of A with every column of V."""
        self._check(V, dimensions=2)
        self._products += V.shape[1]
        return self._apply_block(V)

    def conjugate_by(self, D: "Operator") -> "Conjugation":
        """The congruence Dᵀ A D with a symmetric D, for example P^(-1/2) H P^(-1/2)."""
        return Conjugation(self, D)

    def to_scipy(self) -> LinearOperator:
        """The same operator for SciPy: NumPy arrays in and out. Its products are counted here."""
        numpy_dtype = torch.empty(0, dtype=self.dtype).numpy().dtype

        def inward(array: NDArray[Any]) -> Tensor:
            return torch.tensor(array, dtype=self.dtype, device=self.device)

        def matvec(v: NDArray[Any]) -> NDArray[Any]:
            return self.matvec(inward(v.reshape(-1))).cpu().numpy()

        def matmat(V: NDArray[Any]) -> NDArray[Any]:
            return self.matmat(inward(V)).cpu().numpy()

        shape = (self.size, self.size)
        return LinearOperator(
            shape, matvec=matvec, rmatvec=matvec, matmat=matmat, rmatmat=matmat, dtype=numpy_dtype
        )

    def __matmul__(self, other: Tensor) -> Tensor:
        return self.matvec(other) if other.ndim == 1 else self.matmat(other)

    def __add__(self, other: "Operator") -> "Sum":
        return Sum(self, other)

    def __mul__(self, factor: float | int) -> "Scaled":
        return Scaled(self, factor)

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, dtype={self.dtype}, device={self.device})"

    @abstractmethod
    def _apply(self, v: Tensor) -> Tensor:
        """A v, unchecked and uncounted."""

    def _apply_block(self, V: Tensor) -> Tensor:
        """A V, unchecked and uncounted."""
        if V.shape[1] == 0:
            return V.clone()
        return torch.stack([self._apply(v) for v in V.T]).T

    def _check(self, v: Tensor, dimensions: int) -> None:
        fits = v.ndim == dimensions and v.shape[0] == self.size
        if not fits or v.dtype != self.dtype or v.device != self.device:
            shape = f"({self.size},)" if dimensions == 1 else f"({self.size}, block)"
            raise SettingError(
                f"a product of {self!r} with a {v.dtype} tensor of shape {tuple(v.shape)} on {v.device}",
                f"it multiplies {self.dtype} tensors of shape {shape} on {self.device}",
                f'Convert with v.to("{self.device}", {self.dtype}); matvec takes one vector, matmat columns',
            )


@final
class Function(Operator):
    """A function of a vector, taken at its word that it is linear and symmetric.

    Args:
        f: v ↦ A v.
        size: n.
        dtype: float32 or float64.
        device: where its vectors live.

    Example:
        >>> (2 * Function(lambda v: 3 * v, size=2, dtype=torch.float64)) @ torch.ones(2, dtype=torch.float64)
        tensor([6., 6.], dtype=torch.float64)
    """

    def __init__(
        self,
        f: Callable[[Tensor], Tensor],
        size: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(size, dtype, device)
        self._f = f

    def _apply(self, v: Tensor) -> Tensor:
        product = self._f(v)
        if product.shape != v.shape or product.dtype != v.dtype:
            raise SettingError(
                f"a function that maps a {v.dtype} vector of {v.shape[0]} entries to a {product.dtype} "
                f"tensor of shape {tuple(product.shape)}",
                "a symmetric operator maps vectors to vectors of the same size and precision",
                f"Return a {v.dtype} tensor of shape {tuple(v.shape)}",
            )
        return product


@final
class Diagonal(Operator):
    """The diagonal matrix diag(d).

    Args:
        entries: d.
    """

    def __init__(self, entries: Vector) -> None:
        super().__init__(entries.shape[0], entries.dtype, entries.device)
        self.entries = entries

    def _apply(self, v: Tensor) -> Tensor:
        return self.entries * v

    def _apply_block(self, V: Tensor) -> Tensor:
        return self.entries[:, None] * V


@final
class Sum(Operator):
    """The sum A + B. One product of the sum is one product of each term."""

    def __init__(self, first: Operator, second: Operator) -> None:
        _check_alike(first, second, "+")
        super().__init__(first.size, first.dtype, first.device)
        self._first, self._second = first, second

    def _apply(self, v: Tensor) -> Tensor:
        return self._first.matvec(v) + self._second.matvec(v)

    def _apply_block(self, V: Tensor) -> Tensor:
        return self._first.matmat(V) + self._second.matmat(V)


@final
class Scaled(Operator):
    """The multiple c A."""

    def __init__(self, operator: Operator, factor: float | int) -> None:
        super().__init__(operator.size, operator.dtype, operator.device)
        self._operator, self._factor = operator, factor

    def _apply(self, v: Tensor) -> Tensor:
        return self._factor * self._operator.matvec(v)

    def _apply_block(self, V: Tensor) -> Tensor:
        return self._factor * self._operator.matmat(V)


@final
class Conjugation(Operator):
    """The congruence Dᵀ A D with a symmetric D. One product is one of A and two of D."""

    def __init__(self, operator: Operator, by: Operator) -> None:
        _check_alike(operator, by, "conjugate_by")
        super().__init__(operator.size, operator.dtype, operator.device)
        self._operator, self._by = operator, by

    def _apply(self, v: Tensor) -> Tensor:
        return self._by.matvec(self._operator.matvec(self._by.matvec(v)))

    def _apply_block(self, V: Tensor) -> Tensor:
        return self._by.matmat(self._operator.matmat(self._by.matmat(V)))


def _check_alike(first: Operator, second: Operator, sign: str) -> None:
    if (first.size, first.dtype, first.device) != (second.size, second.dtype, second.device):
        raise SettingError(
            f"{first!r} {sign} {second!r}",
            "operators that are combined act on the same vectors",
            "Give both the same size, dtype and device",
        )
