"""The Fisher matrices: curvature from the outer products of per-sample gradients.

What a sample is follows the criterion: `edgewise.curvature.samples` for the labels of the data,
`edgewise.curvature.likelihood` for drawn ones.
"""

import dataclasses
from typing import final

import torch
from torch import Tensor

from edgewise.curvature.jacobian import (
    criterion_gradient,
    outputs_at,
    pull_back,
    push_forward,
    supervised_terms,
)
from edgewise.curvature.likelihood import Likelihood, draw_targets, require_likelihood, samples_of
from edgewise.curvature.samples import predicts_classes, row_reduction, rows_of, tokens_of
from edgewise.foundation import Parameters, SettingError, generator
from edgewise.linalg import Operator
from edgewise.objectives import Objective


@final
class EmpiricalFisher(Operator):
    """The empirical Fisher matrix: the second moment of the per-sample gradients at the given labels.

        F(w) = Σ_s c_s g_s g_sᵀ,     L = Σ_s c_s ℓ_s,     g_s = ∇ℓ_s

    For a mean over n samples this is (1/n) Σ g_s g_sᵀ. A sample is a row of the data; for
    `torch.nn.CrossEntropyLoss` and `NLLLoss` a token (a row, or a position in it) that is not ignored, c_s
    its class weight ÷ the sum of those. For a mean over elements (`torch.nn.MSELoss`) ℓ_s is the mean over
    the row's elements. For a criterion that adds up, c_s = 1: Σ g_s g_sᵀ.

    One product costs a forward-mode pass and a backward pass over the data, two to three gradients, and the
    memory of one chunk; no per-sample gradient is formed.

    Args:
        objective: made by `Objective.from_module`, with a model whose outputs are one tensor.
        w: where.

    Raises:
        ObjectiveError: for a plain function, outputs that are not one tensor with a row for each sample, a
            criterion in which the samples have no losses of their own, or a w that does not fit.

    References:
        kunstner2019limitations
    """

    def __init__(self, objective: Objective, w: Parameters) -> None:
        self._terms = supervised_terms(objective, "empirical Fisher matrix")
        self._w = objective.at(w).w
        self._by_row = not predicts_classes(self._terms)
        self._reduction = self._terms.reduction
        if self._by_row:
            first = next(self._terms.chunks())
            self._reduction = row_reduction(first, outputs_at(first, self._w), "empirical Fisher matrix")
        super().__init__(objective.size, objective.dtype, objective.device)

    def _apply(self, v: Tensor) -> Tensor:
        total = torch.zeros_like(v)
        for chunk in self._terms.chunks():
            outputs, tangent = push_forward(chunk, self._w, v)
            samples = rows_of(chunk, outputs, self._reduction) if self._by_row else tokens_of(chunk, outputs)
            total += pull_back(chunk, self._w, samples.outer(criterion_gradient(chunk, outputs), tangent))
        return total


@final
class Fisher(Operator):
    """The Fisher information matrix, with labels drawn from the model's own predictive distribution.

        F(w) = (1/m) Σ_{d=1…m} Σ_s c_s g_s g_sᵀ,     g_s = −∇ log p(y_sᵈ | f_s),  y_sᵈ ~ p(· | f_s)

    where L = Σ_s c_s ℓ_s and ℓ_s = −log p up to a constant. Its expectation over the labels is the
    Gauss–Newton matrix; its standard error falls as 1/√m. The labels are drawn once, when it is made, so
    that it is one matrix.

    A sample is one drawn label: a token that is not ignored for `torch.nn.CrossEntropyLoss`, an element of
    the outputs for `BCEWithLogitsLoss` and `MSELoss` (whose Gaussian has variance ½), a row of the data for
    a `Likelihood`.

    One product costs a forward-mode pass and a backward pass over the data, two to three gradients, whatever
    m is; the memory of one chunk, and the drawn labels.

    Args:
        objective: made by `Objective.from_module`, with a model whose outputs are one tensor.
        w: where.
        samples: m, the number of labels drawn for each sample of the data.
        seed: of the labels.

    Raises:
        ObjectiveError: for a plain function, outputs that are not one tensor, a criterion that is not a
            likelihood, or a w that does not fit.
        SettingError: if `samples` is below one or `seed` is negative.

    References:
        martens2020new, kunstner2019limitations
    """

    def __init__(self, objective: Objective, w: Parameters, samples: int = 1, seed: int = 0) -> None:
        if samples < 1:
            raise SettingError(
                f"samples={samples}", "a Fisher matrix needs at least one label for each sample", "Type samples=1"
            )
        self._terms = supervised_terms(objective, "Fisher matrix")
        require_likelihood(self._terms)
        self._w = objective.at(w).w
        self._reduction = self._terms.reduction
        criterion: object = self._terms.criterion
        if isinstance(criterion, Likelihood):
            first = next(self._terms.chunks())
            self._reduction = row_reduction(first, outputs_at(first, self._w), "Fisher matrix")
        # One stream a draw: more samples continue the same labels.
        streams = [generator(seed, "fisher", str(d), device=objective.device) for d in range(samples)]
        self._labels = [
            [draw_targets(chunk, outputs, stream) for stream in streams]
            for chunk in self._terms.chunks()
            for outputs in (outputs_at(chunk, self._w),)
        ]
        super().__init__(objective.size, objective.dtype, objective.device)

    def _apply(self, v: Tensor) -> Tensor:
        total = torch.zeros_like(v)
        for chunk, labels in zip(self._terms.chunks(), self._labels, strict=True):
            outputs, tangent = push_forward(chunk, self._w, v)
            samples = samples_of(chunk, outputs, self._reduction)
            cotangent = torch.zeros_like(outputs)
            for targets in labels:
                drawn = dataclasses.replace(chunk, targets=targets)
                cotangent += samples.outer(criterion_gradient(drawn, outputs), tangent)
            total += pull_back(chunk, self._w, cotangent / len(labels))
        return total
