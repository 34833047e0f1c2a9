"""Curvature as mini-batches see it: batch sharpness, with its doubt and a rule when to stop.

The mean over batches is estimated from fresh ones until its relative standard error is small enough. A rule
that looks at the error after every batch stops a little too often where the error happens to look small;
that costs less coverage the later it may first stop, hence the least number of batches.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import stdtrit
from torch import Tensor

from edgewise.foundation import Parameters, SettingError, generator
from edgewise.objectives import Objective, Point

# Below this many a standard error is itself known to no better than one part in eight.
_LEAST_BATCHES = 32


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCurvature:
    """The curvature that batches of one size meet along their own gradients, with its doubt and cost.

    Attributes:
        value: the batch sharpness, E_B[g_Bᵀ H_B g_B / ‖g_B‖²], the ratio inside the expectation.
        standard_error: of `value`; zero where the only batch is the whole data set.
        outside: E_B[g_Bᵀ H_B g_B] / E_B[‖g_B‖²], where batches with large gradients count more.
        outside_error: its standard error by the delta method.
        batch_size: samples a batch.
        batches: how many batches were drawn that have a gradient; the others count in neither ratio.
        converged: whether the relative standard error of `value` came down to the tolerance.
        products: Hessian-vector products that it cost, in products of the whole data set.
    """

    value: float
    standard_error: float
    outside: float
    outside_error: float
    batch_size: int
    batches: int
    converged: bool
    products: float

    def half_width(self, confidence: float | int = 0.95) -> float:
        """Half the width of the confidence interval of `value`, by Student's t.

        Raises:
            SettingError: if `confidence` is not between 0 and 1.
        """
        return self._half_width(self.standard_error, confidence)

    def interval(self, confidence: float | int = 0.95) -> tuple[float, float]:
        """The confidence interval of `value`, by Student's t."""
        half = self.half_width(confidence)
        return self.value - half, self.value + half

    def outside_interval(self, confidence: float | int = 0.95) -> tuple[float, float]:
        """The confidence interval of `outside`, likewise."""
        half = self._half_width(self.outside_error, confidence)
        return self.outside - half, self.outside + half

    def _half_width(self, error: float, confidence: float | int) -> float:
        if not 0.0 < confidence < 1.0:
            raise SettingError(
                f"confidence={confidence}", "a probability lies between 0 and 1", "Type confidence=0.95"
            )
        if error in (0.0, math.inf):
            return error
        return float(stdtrit(self.batches - 1, (1.0 + confidence) / 2.0)) * error

    def __str__(self) -> str:
        met = "" if self.converged else ", above the tolerance"
        return f"{self.value:.6g} ± {self.half_width():.2g} (95 %, {self.batches} batches{met})"


def batch_sharpness(
    objective: Objective,
    w: Parameters,
    batch_size: int,
    rtol: float = 0.005,
    max_batches: int = 1000,
    seed: int = 0,
    replacement: bool = False,
) -> BatchCurvature:
    """The batch sharpness at one point, by Monte Carlo over fresh batches.

        BS = E_B[ g_Bᵀ H_B g_B / ‖g_B‖² ],     g_B = ∇L_B(w),  H_B = ∇²L_B(w) on the same batch

    It is what stochastic gradient descent holds at 2/η; for the whole data set it is the curvature along the
    gradient. Each batch is drawn by itself, without replacement within it unless asked. Costs a gradient and a
    product of each batch.

    Args:
        objective: of a module, a criterion and data.
        w: where.
        batch_size: b, samples a batch.
        rtol: the relative standard error at which it stops, after at least 32 batches.
        max_batches: where it stops all the same, and says that the tolerance is not met.
        seed: of the batches.
        replacement: whether a batch may hold a sample several times.

    Raises:
        SettingError: if an argument is outside its range, or no batch has a gradient, as where every sample
            is fitted exactly.
        ObjectiveError: if w does not fit, or the objective has no mini-batches.

    Example:
        >>> layer = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
        >>> data = torch.tensor([[1.0], [2.0]]).double(), torch.zeros(2, 1).double()
        >>> objective = Objective.from_module(layer, torch.nn.MSELoss(), data)
        >>> whole = batch_sharpness(objective, objective.start, batch_size=2)
        >>> round(whole.value, 9), whole.standard_error  # 2 · mean(x²), exactly
        (5.0, 0.0)

    References:
        andreyev2024edge
    """
    require_batches(batch_size, rtol, max_batches)
    samples = require_samples(objective, batch_size, replacement)
    if batch_size == samples and not replacement:
        numerator, denominator = _along_gradient(objective.at(w))
        return _estimate([numerator], [denominator], batch_size, 1.0, rtol, exact=True)
    gHg: list[float] = []
    gg: list[float] = []
    drawn, batches = 0, _drawn(samples, batch_size, replacement, generator(seed, "batch sharpness"))
    while drawn < max_batches and not _precise(gHg, gg, rtol):
        numerator, denominator = _along_gradient(objective.batch_at(w, next(batches), products=True))
        drawn += 1
        if denominator != 0.0:
            gHg.append(numerator)
            gg.append(denominator)
    return _estimate(gHg, gg, batch_size, drawn * batch_size / samples, rtol)


def require_batches(batch_size: int, rtol: float, max_batches: int) -> None:
    """Refuse a batch size, tolerance or number of batches outside its range."""
    if batch_size < 1:
        raise SettingError(f"batch_size={batch_size}", "a batch has at least one sample", "Type batch_size=32")
    if not 0.0 < rtol < 1.0:
        raise SettingError(f"rtol={rtol}", "a relative tolerance lies between 0 and 1", "Type rtol=0.005")
    if max_batches < 2:
        raise SettingError(
            f"max_batches={max_batches}", "one batch says nothing about its error", "Type max_batches=1000"
        )


def require_samples(objective: Objective, batch_size: int, replacement: bool) -> int:
    """The number of samples, if there are mini-batches of that size.

    Raises:
        SettingError: if a batch without replacement would be larger than the data.
        ObjectiveError: if the objective has no mini-batches.
    """
    samples = objective.samples
    if not replacement and batch_size > samples:
        raise SettingError(
            f"batch_size={batch_size} and {samples} samples",
            "a batch without replacement has each of them at most once",
            f"Type batch_size={samples}, or replacement=True",
        )
    objective.batch_at(objective.start, torch.zeros(1, dtype=torch.int64))
    return samples


def _drawn(samples: int, size: int, replacement: bool, numbers: torch.Generator) -> Iterator[Tensor]:
    while True:
        if replacement:
            yield torch.randint(samples, (size,), generator=numbers)
        else:
            yield torch.randperm(samples, generator=numbers)[:size]


def _along_gradient(point: Point) -> tuple[float, float]:
    """gᵀ H g and ‖g‖², scaled by the largest entry of g so that neither is lost in float32."""
    scale = float(point.gradient.abs().max())
    if scale == 0.0:
        return 0.0, 0.0
    direction = point.gradient / scale
    both = torch.stack([direction @ point.hvp(direction), direction @ direction]).double() * scale**2
    numerator, denominator = both.tolist()
    if not (math.isfinite(numerator) and math.isfinite(denominator)):
        raise SettingError(
            "a batch whose curvature is not finite",
            "its gradient or a Hessian-vector product overflows here",
            "Measure where the loss is finite, or type objective.to(torch.float64)",
        )
    return numerator, denominator


def _precise(gHg: list[float], gg: list[float], rtol: float) -> bool:
    if len(gg) < _LEAST_BATCHES:
        return False
    ratios = np.divide(gHg, gg)
    return _standard_error(ratios) <= rtol * abs(float(ratios.mean()))


def _estimate(
    gHg: list[float],
    gg: list[float],
    batch_size: int,
    products: float,
    rtol: float,
    *,
    exact: bool = False,
) -> BatchCurvature:
    numerators, denominators = np.array(gHg), np.array(gg)
    if not denominators.any():
        raise SettingError(
            f"batches of {batch_size} without a single gradient",
            "each sample is at a minimum of its own loss, where no curvature is met",
            "Measure before the loss is zero",
        )
    ratios = numerators / denominators
    value, outside = float(ratios.mean()), float(numerators.mean() / denominators.mean())
    # The error of ā/b̄ is that of the mean of (a − R b)/b̄ to first order.
    linearised = (numerators - outside * denominators) / denominators.mean()
    # Of the whole data set there is one batch, and it is no sample of anything.
    error, outside_error = (0.0, 0.0) if exact else (_standard_error(ratios), _standard_error(linearised))
    return BatchCurvature(
        value=value,
        standard_error=error,
        outside=outside,
        outside_error=outside_error,
        batch_size=batch_size,
        batches=len(ratios),
        converged=error <= rtol * abs(value),
        products=products,
    )


def _standard_error(values: NDArray[np.float64]) -> float:
    # One batch says nothing about the others.
    return float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf
