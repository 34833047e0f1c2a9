"""The noise of mini-batch gradients along one direction, exactly."""

import torch
from torch import Tensor

from edgewise.curvature.jacobian import criterion_gradient, push_forward, supervised_terms
from edgewise.curvature.samples import row_reduction
from edgewise.curvature.stochastic import require_samples
from edgewise.foundation import Parameters, SettingError
from edgewise.objectives import Objective


def gradient_noise(
    objective: Objective, w: Parameters, direction: Parameters, batch_size: int, replacement: bool = False
) -> float:
    """The variance of a mini-batch gradient along a direction.

        σ_u² = Var_B ⟨u, ∇L_B(w)⟩ = (S²/b) · (1 − b/n),     S² = Σᵢ (pᵢ − p̄)² / (n − 1),  pᵢ = ⟨u, ∇ℓᵢ(w)⟩

    for batches of b out of n without replacement; with it (1/n) Σᵢ (pᵢ − p̄)² / b. With the top eigenvector as
    u it is what holds the sharpness of stochastic gradient descent below 2/η. Costs one forward-mode pass
    over the data, about two gradients; no batch is drawn.

    Args:
        objective: of a module with one row of outputs a sample, and a criterion that is a mean or a sum over
            the rows.
        w: where.
        direction: of any length but zero; u is the unit vector along it.
        batch_size: b, samples a batch.
        replacement: whether a batch may hold a sample several times.

    Raises:
        SettingError: if the batch size is outside its range, or the direction is zero or not finite.
        ObjectiveError: if w does not fit, or the samples have no gradients of their own.

    Example:
        >>> layer = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
        >>> data = torch.tensor([[1.0], [2.0]]).double(), torch.zeros(2, 1).double()
        >>> objective = Objective.from_module(layer, torch.nn.MSELoss(), data)
        >>> w = torch.ones(1).double()
        >>> gradient_noise(objective, w, w, batch_size=1)  # gradients 2 and 8, each as likely
        9.0

    References:
        liao2026sharpness
    """
    if batch_size < 1:
        raise SettingError(f"batch_size={batch_size}", "a batch has at least one sample", "Type batch_size=32")
    terms = supervised_terms(objective, "gradient noise")
    n = require_samples(objective, batch_size, replacement)
    length = torch.linalg.vector_norm(direction)
    if not (torch.isfinite(length) and length > 0):
        raise SettingError(
            f"a direction of length {float(length)}",
            "it points nowhere",
            "Give a vector that is finite and not zero",
        )
    w = objective.at(w, products=False).w
    pieces: list[Tensor] = []
    for chunk in terms.chunks():
        outputs, tangent = push_forward(chunk, w, direction / length)
        row_reduction(chunk, outputs, "gradient noise")
        # A row of this is the sample's share of ⟨u, ∇L⟩; n times that is pᵢ, for a mean and for a sum.
        shares = criterion_gradient(chunk, outputs) * tangent
        pieces.append(n * shares.double().reshape(shares.shape[0], -1).sum(1))
    squares = float(torch.cat(pieces).var(correction=0))
    if replacement:
        return squares / batch_size
    return 0.0 if batch_size == n else squares / batch_size * (n - batch_size) / (n - 1)
