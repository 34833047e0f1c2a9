"""The vocabulary of shapes, checked at run time in the tests (jaxtyping + beartype).

Axes are named once, here, and mean the same everywhere:

    params   entries of the flat parameter vector w
    size     the dimension a linear operator acts on (params, or samples × outputs for the NTK)
    k        eigenpairs, in descending order of eigenvalue
    block    columns multiplied together
    steps    steps of a process

`Vector` and `Matrix` are real floating tensors of any width (float32 or float64).
"""

from jaxtyping import Float
from torch import Tensor

Vector = Float[Tensor, "size"]
"""A real vector that a linear operator can act on."""

Block = Float[Tensor, "size block"]
"""Several such vectors, as columns."""

Parameters = Float[Tensor, "params"]
"""A point w: all trainable parameters as one flat vector."""

Scalar = Float[Tensor, ""]
"""A zero-dimensional real tensor."""
