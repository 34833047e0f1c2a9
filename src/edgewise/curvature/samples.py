"""What a sample is: how the loss of a chunk falls into the losses of its samples.

    L = Σ_s c_s ℓ_s

A Fisher matrix is a weighted sum over samples, and depends on what is called one. Here it follows the
criterion:

| criterion | a sample is | c_s, for a mean | c_s, for a sum |
|---|---|---|---|
| cross-entropy, NLL with class indices | a token that is not ignored | class weight / Σ of those | class weight |
| cross-entropy with class probabilities | a token | 1 / tokens | 1 |
| anything else | a row of the data | 1 / rows | 1 |

A token is one prediction of a class: a row of the data where the outputs are (rows, classes), a position in
a row where they are (rows, classes, positions, …). In a mean over elements, such as `torch.nn.MSELoss`, the
loss of a row is the mean over its elements. (Only where labels are drawn one by one, in the true Fisher
matrix, each element is a sample: `elements_of`.)
"""

import dataclasses
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from edgewise.curvature.jacobian import criterion_gradient
from edgewise.foundation import ObjectiveError
from edgewise.objectives import SupervisedChunk, SupervisedTerms, fixed_data


@final
@dataclass(frozen=True, slots=True)
class Samples:
    """How the outputs of one chunk fall into samples.

    Attributes:
        axes: the axes of the outputs that lie within a sample.
        weight: c_s, broadcastable against the outputs with those axes reduced to length one.
    """

    axes: tuple[int, ...]
    weight: Tensor

    def outer(self, gradient: Tensor, t: Tensor) -> Tensor:
        """Σ_s c_s g_s (g_s · t_s) in output space, from the gradient of L, which is c_s g_s.

        Args:
            gradient: ∂L/∂f of the chunk, in the shape of its outputs f.
            t: in the same shape.
        """
        along = (gradient * t).sum(self.axes, keepdim=True) if self.axes else gradient * t
        # An ignored token has weight zero, and so has its gradient.
        return torch.where(self.weight > 0, along / self.weight, 0.0) * gradient


def predicts_classes(terms: SupervisedTerms) -> bool:
    """Whether the criterion scores one class per token, the classes along axis 1."""
    return isinstance(terms.criterion, nn.CrossEntropyLoss | nn.NLLLoss)


def tokens_of(chunk: SupervisedChunk, outputs: Tensor) -> Samples:
    """Every token a sample, for `torch.nn`'s class criteria."""
    terms, targets, criterion = chunk.terms, chunk.targets, chunk.terms.criterion
    assert isinstance(criterion, nn.CrossEntropyLoss | nn.NLLLoss) and isinstance(targets, Tensor)
    if targets.is_floating_point():
        weight = outputs.new_ones(outputs[:, :1].shape)
    else:
        kept = targets != criterion.ignore_index
        classes = criterion.weight
        of_class = outputs.new_ones(outputs.shape[1]) if classes is None else classes.to(outputs)
        weight = (kept * of_class[torch.where(kept, targets, 0)]).unsqueeze(1)
    if terms.reduction == "mean" and chunk.share > 0:
        weight = weight * (chunk.share / weight.sum())
    return Samples((1,), weight)


def rows_of(chunk: SupervisedChunk, outputs: Tensor, reduction: str) -> Samples:
    """Every row of the data a sample."""
    weight = 1.0 / chunk.terms.samples if reduction == "mean" else 1.0
    return Samples(tuple(range(1, outputs.ndim)), outputs.new_full((1,) * outputs.ndim, weight))


def elements_of(chunk: SupervisedChunk, outputs: Tensor) -> Samples:
    """Every element of the outputs a sample, for a mean or a sum over elements."""
    weight = chunk.share / outputs.numel() if chunk.terms.reduction == "mean" else 1.0
    return Samples((), outputs.new_full((1,) * outputs.ndim, weight))


def row_reduction(chunk: SupervisedChunk, outputs: Tensor, matrix: str) -> str:
    """Whether the criterion is the "mean" or the "sum" of the losses of the rows.

    Tried on a chunk: the gradient at a row's outputs must not depend on which other rows are there, but
    for the factor of a mean. The parts are ragged (two thirds and one third), so that a mean over something
    else shows.

    Raises:
        ObjectiveError: if it is neither, so that a row has no loss of its own.
    """
    rows = fixed_data.samples_in(chunk.targets)
    if outputs.ndim == 0 or outputs.shape[0] != rows:
        raise ObjectiveError(
            f"the {matrix} of a model that answers {rows} samples with outputs of shape {tuple(outputs.shape)}",
            "without one row of outputs for each sample there are no per-sample gradients",
            "Keep the samples along the first axis of the outputs, or use GaussNewton",
        )
    declared = chunk.terms.reduction
    if rows < 2:
        return declared
    cut = min((2 * rows + 2) // 3, rows - 1)
    parts = (slice(0, cut), slice(cut, rows))
    whole = criterion_gradient(_part(chunk, slice(0, rows)), outputs)
    alone = [criterion_gradient(_part(chunk, part), outputs[part]) for part in parts]
    tolerance = 100 * torch.finfo(outputs.dtype).eps * float(max(abs(g).max() for g in (whole, *alone)))
    shares = {"mean": [cut / rows, 1 - cut / rows], "sum": [1.0, 1.0]}
    fits = [
        reduction
        for reduction, share in shares.items()
        if all(
            torch.allclose(whole[part], factor * gradient, rtol=0.0, atol=tolerance)
            for part, factor, gradient in zip(parts, share, alone, strict=True)
        )
    ]
    if not fits:
        raise ObjectiveError(
            f"the {matrix} with the criterion {_name(chunk)}",
            "it is neither a mean nor a sum over the rows of the data, so that the loss of one sample depends "
            "on the others and there are no per-sample gradients",
            "Use a mean over samples, or torch.nn.CrossEntropyLoss where tokens are ignored, or GaussNewton",
        )
    # Where all gradients vanish both fit, and what the objective found is as good.
    return declared if declared in fits else fits[0]


def _part(chunk: SupervisedChunk, rows: slice) -> SupervisedChunk:
    return dataclasses.replace(chunk, targets=fixed_data.map_tensors(lambda t: t[rows], chunk.targets), share=1.0)


def _name(chunk: SupervisedChunk) -> str:
    criterion = chunk.terms.criterion
    return getattr(criterion, "__name__", type(criterion).__name__)
