"""Steps made orthogonal, matrix by matrix, and what that divides the gradient by."""

from edgewise.methods.orthogonal.muon import Muon, MuonState
from edgewise.methods.orthogonal.newton_schulz import MatrixPreconditioner

__all__ = [
    "MatrixPreconditioner",
    "Muon",
    "MuonState",
]
