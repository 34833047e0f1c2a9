"""Whether an Adam-like optimiser's second moments still describe the gradients it is given."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.optim import Optimizer

# Loss spikes follow spikes of ‖g‖²/Σν̂ within this many steps.
_BACK = 8


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SecondMoments:
    """The second moments of all parameters, summed, as an optimiser has them after its last step.

    Attributes:
        total: Σν, without the correction of their bias.
        beta2: their decay.
        steps: how many gradients are in them; None where the optimiser corrects no bias.
    """

    total: float
    beta2: float
    steps: int | None

    def staleness(self, squares: Sequence[float]) -> list[float]:
        """‖g_k‖²/Σν̂_k of past steps, by running the moving average backwards.

            Σν_{k-1} = (Σν_k − (1 − β2) ‖g_k‖²)/β2

        Args:
            squares: ‖g_k‖² of the steps k back to front, the last one, which `total` includes, first.

        Returns:
            As many ratios, in the same order; fewer where the sum runs out, as it does when the gradients that
            were given are not those the optimiser saw.
        """
        ratios: list[float] = []
        total, steps = self.total, self.steps
        for square in squares:
            corrected = total if steps is None else total / (1 - self.beta2**steps)
            if not corrected > 0:
                break
            ratios.append(square / corrected)
            total = (total - (1 - self.beta2) * square) / self.beta2
            if steps is not None:
                steps -= 1
                if steps == 0:
                    break
        return ratios


def second_moments(optimizer: Optimizer) -> SecondMoments | None:
    """What an Adam-like optimiser remembers of the squared gradients; None for any other one.

    Args:
        optimizer: a `torch.optim` optimiser whose state has `exp_avg_sq` (Adam, AdamW, NAdam, RAdam) or
            `square_avg` (RMSprop), with one decay for all parameters.
    """
    kept: list[Tensor] = []
    decays: set[float] = set()
    counts: set[int] = set()
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            state = optimizer.state.get(parameter, {})
            for name in ("exp_avg_sq", "square_avg"):
                if isinstance(state.get(name), Tensor):
                    kept.append(state[name])
                    decays.add(float(group["betas"][1] if "betas" in group else group.get("alpha", 0.0)))
                    counts.add(int(state["step"]) if name == "exp_avg_sq" and "step" in state else 0)
    if not kept or len(decays) != 1 or len(counts) != 1 or not 0 < (beta2 := decays.pop()) < 1:
        return None
    total = float(torch.stack([torch.sum(each, dtype=torch.float64).cpu() for each in kept]).sum())
    return SecondMoments(total=total, beta2=beta2, steps=counts.pop() or None)


def staleness(moments: SecondMoments, norms: Sequence[float | None], *, since: int = 1) -> float | None:
    """The largest ‖g‖²/Σν̂ of the last 8 updates before a spike.

    In stationary training it scatters about one; where the gradient has grown faster than the memory of
    1/(1 − β2) steps can follow, it is up to 1/(1 − β2), and the updates are too long.

    Args:
        moments: after the last step.
        norms: ‖g‖ of the steps back to front, the last one first; None where it was not measured.
        since: how many of them belong to the spike.

    Returns:
        None if the norms of the spike and of the step before it are not all known.
    """
    squares: list[float] = []
    for norm in norms[: _BACK + since]:
        if norm is None or not math.isfinite(norm):
            break
        squares.append(norm**2)
    before = moments.staleness(squares)[since:]
    return max(before) if before else None
