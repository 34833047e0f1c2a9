"""Matrix-free linear algebra on symmetric operators. It has never heard of a network."""

from edgewise.linalg.bounds import error_bounds
from edgewise.linalg.eigenpairs import eigenpairs
from edgewise.linalg.lanczos import Lanczos
from edgewise.linalg.operator import Conjugation, Diagonal, Function, Operator, Scaled, Sum
from edgewise.linalg.result import Eigenpairs, Estimate, Status, align

__all__ = [
    "Conjugation",
    "Diagonal",
    "Eigenpairs",
    "Estimate",
    "Function",
    "Lanczos",
    "Operator",
    "Scaled",
    "Status",
    "Sum",
    "align",
    "eigenpairs",
    "error_bounds",
]
