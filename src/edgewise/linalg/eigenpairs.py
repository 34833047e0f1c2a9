"""The front door: the largest eigenpairs of an operator, with nothing to choose."""

from edgewise.foundation import Block, SettingError, generator
from edgewise.linalg.lanczos import Lanczos
from edgewise.linalg.operator import Operator
from edgewise.linalg.result import Eigenpairs, align


def eigenpairs(
    operator: Operator,
    k: int = 1,
    rtol: float = 1e-4,
    seed: int = 0,
    solver: Lanczos | None = None,
    start: Block | None = None,
) -> Eigenpairs:
    """The `k` largest **algebraic** eigenpairs of a symmetric operator: A u = λ u, λ₁ ≥ … ≥ λₖ.

    Args:
        operator: A.
        k: how many.
        rtol: bound of the error of every value, relative to the largest |value| among them.
        seed: of the random start; the same seed gives the same answer.
        solver: None takes `Lanczos()`.
        start: vectors to start from, as columns, such as those of an earlier answer. The answer's vectors
            then keep their signs; without, the entry of largest magnitude of each is positive.

    Raises:
        SettingError: if an argument is outside its range, or a product is not finite.

    Example:
        >>> import torch
        >>> from edgewise.linalg import Diagonal
        >>> pairs = eigenpairs(Diagonal(torch.tensor([3.0, -8.0, 1.0])), k=2)
        >>> pairs.values.round(decimals=4)
        tensor([3., 1.])
        >>> print(pairs.status.sentence)
        The basis spans the whole space: the spectrum is exact to rounding.
    """
    if not isinstance(operator, Operator):
        raise SettingError(
            f"the eigenpairs of a {type(operator).__name__}",
            "only an operator, such as a Hessian at a point, has any",
            "Type eigenpairs(Hessian(objective, objective.start)), or torch.linalg.eigh(matrix) for a matrix",
        )
    solver = solver or Lanczos()
    pairs = solver.solve(operator, k, rtol, generator(seed, "eigenpairs"), start)
    reference = pairs.vectors.new_empty(operator.size, 0) if start is None else start
    return pairs.with_vectors(align(pairs.vectors, reference))
