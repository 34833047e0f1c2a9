"""How a criterion averages, so that chunks can be put together again.

PyTorch's criteria are means: over samples, over the elements of the output, or over those tokens that are
not ignored. A mean over the data set is the *weighted* mean of the chunks' means, the weights being what
each mean divides by; with plain averages a ragged last chunk would count too much.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from edgewise.foundation import ObjectiveError
from edgewise.objectives.fixed_data import Nested, samples_in, tensors_in

Criterion = Callable[[Any, Any], Tensor]
Metric = Callable[[Any, Any], Tensor]

_CLASS_CRITERIA = (nn.CrossEntropyLoss, nn.NLLLoss)
_SAMPLE_CRITERIA = (nn.MultiMarginLoss, nn.CosineEmbeddingLoss, nn.MultiLabelMarginLoss, nn.CTCLoss)


def adds_up(criterion: Criterion) -> bool:
    """Whether the criterion says of itself that it is a sum, not a mean."""
    return getattr(criterion, "reduction", "mean") == "sum"


def weight_of(criterion: Criterion, targets: Nested) -> float:
    """What the mean over these targets divides by: the chunk's weight in the whole.

    | criterion | divides by |
    |---|---|
    | cross-entropy, NLL with class indices | tokens that are not ignored, times their class weights |
    | other `torch.nn` criteria, `reduction="mean"` | elements of the target |
    | `reduction="batchmean"`, any other callable | samples |
    """
    first = next(iter(tensors_in(targets)))
    if isinstance(criterion, _CLASS_CRITERIA) and not first.is_floating_point():
        kept = first[first != criterion.ignore_index]
        if criterion.weight is not None:
            return float(criterion.weight.to(kept.device)[kept].sum())
        return float(kept.numel())
    elementwise = isinstance(criterion, nn.modules.loss._Loss) and not isinstance(criterion, _SAMPLE_CRITERIA)
    if elementwise and getattr(criterion, "reduction", "mean") == "mean":
        return float(first.numel())
    return float(samples_in(targets))


@final
@dataclass(frozen=True, slots=True)
class Accuracy:
    """The share of samples (tokens) whose largest output is the target class.

    Targets are class indices or one-hot rows.

    Attributes:
        ignore_index: the class index of tokens that do not count; negative ones never do.
        class_axis: where the outputs have their classes; None takes the last axis if the others match the targets,
            else the second.
    """

    ignore_index: int = -100
    class_axis: int | None = None

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The share among those that count; 0 where none does."""
        if targets.is_floating_point():
            return (outputs.argmax(-1) == targets.argmax(-1)).to(outputs.dtype).mean()
        last = -1 if outputs.shape[:-1] == targets.shape else 1
        axis = last if self.class_axis is None else self.class_axis
        hits = (outputs.argmax(axis) == targets) & self._count(targets)
        return hits.sum().to(outputs.dtype) / max(self.counted(targets), 1)

    def counted(self, targets: Tensor) -> int:
        """How many samples (tokens) count."""
        return len(targets) if targets.is_floating_point() else int(self._count(targets).sum())

    def _count(self, targets: Tensor) -> Tensor:
        return (targets >= 0) & (targets != self.ignore_index)


def weight_in_metric(metric: Metric, targets: Nested) -> int:
    """What the metric's mean over these targets divides by: samples, or the tokens that count."""
    return metric.counted(next(iter(tensors_in(targets)))) if isinstance(metric, Accuracy) else samples_in(targets)


def default_metrics(criterion: Criterion, outputs: Nested, targets: Nested) -> Mapping[str, Metric]:
    """Accuracy where the targets are classes; nothing otherwise."""
    # PyTorch's class criteria have the classes on the second axis, whatever the shapes suggest.
    axis = 1 if isinstance(criterion, _CLASS_CRITERIA) else None
    found = {"accuracy": Accuracy(getattr(criterion, "ignore_index", -100), axis)}
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor)):
        return {}
    if targets.is_floating_point():
        one_hot = (
            outputs.shape == targets.shape
            and targets.ndim == 2
            and targets.shape[1] > 1
            and bool(((targets == 0) | (targets == 1)).all())
            and bool((targets.sum(1) == 1).all())
        )
        return found if one_hot else {}
    indexes_classes = (
        targets.dtype == torch.int64
        and outputs.ndim >= 2
        and (outputs.shape[:-1] == targets.shape or outputs.shape[:1] + outputs.shape[2:] == targets.shape)
    )
    return found if indexes_classes else {}


def combines(criterion: Criterion, outputs: Nested, targets: Nested) -> str:
    """How the criterion on a chunk follows from its two parts: "mean", "sum", or a refusal.

    The parts are ragged on purpose (two thirds and one third), so that a mean over the wrong thing shows.

    Raises:
        ObjectiveError: if the criterion is neither, for example because it compares samples.
    """
    declared = "sum" if adds_up(criterion) else "mean"
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor)) or len(targets) < 2:
        return declared
    cut = min((2 * len(targets) + 2) // 3, len(targets) - 1)
    parts = [(outputs[:cut], targets[:cut]), (outputs[cut:], targets[cut:])]
    whole = float(criterion(outputs, targets))
    if not math.isfinite(whole):
        return declared  # refused for its value when the loss is evaluated
    values = [float(criterion(o, t)) for o, t in parts]
    weights = [weight_of(criterion, t) for _, t in parts]
    # A part in which every token is ignored has weight 0, and its own mean is 0/0.
    mean = sum(v * w for v, w in zip(values, weights, strict=True) if w) / (sum(weights) or 1.0)
    tolerance = 100 * torch.finfo(outputs.dtype).eps * max(abs(v) for v in (whole, *values) if math.isfinite(v))
    if declared == "mean" and abs(mean - whole) <= tolerance:
        return "mean"
    if abs(sum(values) - whole) <= tolerance:
        return "sum"
    raise ObjectiveError(
        f"the criterion {getattr(criterion, '__name__', type(criterion).__name__)} on data in several chunks",
        f"on {len(targets)} samples it is {whole:.6g}, but its parts combine to {mean:.6g} as a mean and "
        f"{sum(values):.6g} as a sum, so it is neither over samples",
        "Leave chunk_size out, so that it sees all samples at once, or use a mean over samples",
    )
