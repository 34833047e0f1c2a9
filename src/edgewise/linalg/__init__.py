"""Matrix-free linear algebra on symmetric operators. It has never heard of a network."""

from edgewise.linalg.block_krylov import BlockKrylov, Tracked
from edgewise.linalg.bounds import error_bounds
from edgewise.linalg.density import Density, spectral_density
from edgewise.linalg.eigenpairs import eigenpairs
from edgewise.linalg.lanczos import Lanczos
from edgewise.linalg.operator import Conjugation, Diagonal, Function, Operator, Scaled, Sum
from edgewise.linalg.preconditioner import Identity, PositiveDiagonal, Preconditioner
from edgewise.linalg.result import Eigenpairs, Estimate, Status, align
from edgewise.linalg.trace import diagonal, trace

__all__ = [
    "BlockKrylov",
    "Conjugation",
    "Density",
    "Diagonal",
    "Eigenpairs",
    "Estimate",
    "Function",
    "Identity",
    "Lanczos",
    "Operator",
    "PositiveDiagonal",
    "Preconditioner",
    "Scaled",
    "Status",
    "Sum",
    "Tracked",
    "align",
    "diagonal",
    "eigenpairs",
    "error_bounds",
    "spectral_density",
    "trace",
]
