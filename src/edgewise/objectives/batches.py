"""Mini-batches of a supervised objective: the criterion's mean over some of the samples.

    L_B(w) = Σ_{i ∈ B} weight_i ℓ_i(w) / Σ_{i ∈ B} weight_i

with the weights of `averaging.weight_of`: over samples for most criteria, over the tokens that count for
those over tokens. Where the criterion adds up, L_B is n/|B| times its sum, so that E_B[L_B] = L over batches
drawn uniformly; with unequal weights it is a ratio of two such estimates, as everywhere in training.
"""

import dataclasses
import math
from typing import final

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from edgewise.foundation import ObjectiveError, SettingError
from edgewise.objectives.averaging import combines, weight_of
from edgewise.objectives.fixed_data import FixedData, samples_in
from edgewise.objectives.supervised import SupervisedTerms
from edgewise.objectives.terms import Terms

# Enough to tell a mean from a sum from anything else, and to see two samples compared with each other.
_TRIED = 7


@final
class Batches:
    """Random access to the samples of an objective; what has to be checked is checked once, here.

    Raises:
        ObjectiveError: if there are no samples, no access to one of them alone, or if a loss over some of them
            is not defined by the loss over all.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = supervised(terms)
        _refuse_mixing(self.terms)
        # Makes one batch, so that data without random access are refused here.
        tried = torch.arange(min(_TRIED, self.samples))
        first = self.terms.data.batch(tried)
        _refuse_other_count(first, len(tried))
        self.reduction = _reduction(self.terms, first)

    @property
    def samples(self) -> int:
        """n, the number of samples of the whole."""
        return self.terms.samples

    def at(self, indices: Tensor) -> SupervisedTerms:
        """The terms of L_B, without metrics; cut into chunks as large as those of the whole.

        Raises:
            SettingError: if `indices` are not a row of sample numbers.
        """
        _refuse_indices(indices, self.samples)
        data = self.terms.data.batch(indices)
        if self.reduction == "sum":
            total = len(indices) / self.samples
        else:
            # A batch in which every token is ignored has no mean; its chunks have share 0 of it.
            total = math.fsum(weight_of(self.terms.criterion, targets) for _, targets in data) or 1.0
        return dataclasses.replace(
            self.terms,
            data=data,
            metrics={},
            reduction=self.reduction,
            total=total,
            samples=len(indices),
            metric_totals={},
        )


def supervised(terms: Terms) -> SupervisedTerms:
    """The terms, if they have samples."""
    if isinstance(terms, SupervisedTerms):
        return terms
    raise ObjectiveError(
        "samples of an objective made from a plain function",
        "it is one number, not a mean over samples",
        "Type Objective.from_module(module, criterion, (inputs, targets))",
    )


def _refuse_mixing(terms: SupervisedTerms) -> None:
    for name, layer in terms.module.named_modules():
        normalises = isinstance(layer, _BatchNorm) and (layer.training or layer.running_mean is None)
        if normalises or getattr(layer, "mixes_samples", False):
            raise ObjectiveError(
                f"mini-batches through {name or 'the module'} ({type(layer).__name__}), which mixes samples",
                "the loss of a sample depends on its batch, so the batches do not average to L",
                "Use GroupNorm or LayerNorm, or type module.eval() for the running statistics",
            )


def _refuse_other_count(data: FixedData, asked: int) -> None:
    given = sum(samples_in(inputs) for inputs, _ in data)
    if given != asked:
        raise ObjectiveError(
            f"a loader that makes {given} samples from {asked} entries of its data set",
            "which of them a sample number means is not known",
            "Give (inputs, targets) as tensors, or a Dataset with one entry a sample",
        )


def _reduction(terms: SupervisedTerms, data: FixedData) -> str:
    """How the criterion puts samples together, tried on a few of them."""
    inputs, targets = next(iter(data))
    with torch.no_grad():
        outputs = terms.outputs(terms.start, inputs)
    try:
        return combines(terms.criterion, outputs, targets)
    except ObjectiveError as error:
        raise ObjectiveError(
            f"mini-batches with {error.given.removesuffix(' on data in several chunks')}",
            error.why,
            "Use a mean over samples, or a method that takes the whole data set",
        ) from error


def _refuse_indices(indices: Tensor, samples: int) -> None:
    integers = not (indices.is_floating_point() or indices.is_complex() or indices.dtype == torch.bool)
    if indices.ndim != 1 or len(indices) == 0 or not integers:
        raise SettingError(
            f"indices of shape {tuple(indices.shape)} and {indices.dtype}",
            "a batch is a row of sample numbers, at least one",
            "Type torch.arange(32)",
        )
    low, high = (int(end) for end in indices.aminmax())
    if low < 0 or high >= samples:
        raise SettingError(
            f"indices from {low} to {high}",
            f"the objective has the samples 0 to {samples - 1}",
            f"Type torch.randint({samples}, (32,))",
        )
