"""Criteria as negative log-likelihoods: the labels that a model itself would expect.

| criterion | predictive distribution of a label | a sample is |
|---|---|---|
| `torch.nn.CrossEntropyLoss` | categorical, softmax of the outputs | a token that is not ignored |
| `torch.nn.BCEWithLogitsLoss` | Bernoulli, sigmoid of the output | an element of the outputs |
| `torch.nn.MSELoss`, (f − y)² | Gaussian around the output, variance ½ | an element of the outputs |
| a `Likelihood` | its own | a row of the data |

In each case the loss of a sample is −log p(y | f) up to a constant, its gradient has mean zero and its
covariance under p is the Hessian of the loss in output space.
"""

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.curvature.samples import Samples, elements_of, rows_of, tokens_of
from edgewise.foundation import ObjectiveError
from edgewise.objectives import SupervisedChunk, SupervisedTerms


@runtime_checkable
class Likelihood(Protocol):
    """A criterion that can draw the labels of which it is the negative log-likelihood.

    The criterion is the mean (or the sum) over the rows of −log p(yᵢ | fᵢ), constants aside.
    """

    def sample_targets(self, outputs: Tensor, generator: torch.Generator) -> Tensor:
        """Labels y ~ p(· | f), one for each row of the outputs, in the form of the criterion's targets.

        Args:
            outputs: f, detached.
            generator: the only source of randomness, on the device of the outputs.
        """


def require_likelihood(terms: SupervisedTerms) -> None:
    """Refuse a criterion that is not the negative log-likelihood of labels one can draw.

    Raises:
        ObjectiveError: for an unknown criterion, and for one with weights or smoothed labels.
    """
    criterion: object = terms.criterion
    name = getattr(criterion, "__name__", type(criterion).__name__)
    if isinstance(criterion, Likelihood):
        return
    if not isinstance(criterion, nn.CrossEntropyLoss | nn.BCEWithLogitsLoss | nn.MSELoss):
        raise ObjectiveError(
            f"the Fisher matrix of the criterion {name}",
            "it does not say from which distribution its labels are drawn",
            "Give the criterion a method sample_targets(outputs, generator), use CrossEntropyLoss, "
            "BCEWithLogitsLoss or MSELoss, or take GaussNewton",
        )
    for setting in ("weight", "pos_weight", "label_smoothing"):
        value = getattr(criterion, setting, None)
        if isinstance(value, Tensor) or value:
            raise ObjectiveError(
                f"the Fisher matrix of a {name} with {setting}",
                "a loss reweighted in this way is not the negative log-likelihood of any labels",
                f"Leave {setting} out, or use GaussNewton, which needs no labels to be drawn",
            )


def draw_targets(chunk: SupervisedChunk, outputs: Tensor, generator: torch.Generator) -> Tensor:
    """Labels from the predictive distribution at these outputs, in the form of the chunk's targets.

    Drawn by inverting the distribution function, one uniform number a label in the order of the data: on a
    CPU the labels do not depend on how the data are chunked.
    """
    criterion: object = chunk.terms.criterion
    if isinstance(criterion, Likelihood):
        return criterion.sample_targets(outputs, generator)
    if isinstance(criterion, nn.CrossEntropyLoss):
        return _draw_classes(outputs, chunk.targets, criterion.ignore_index, generator)
    uniform = _uniform(outputs.shape, generator)
    if isinstance(criterion, nn.BCEWithLogitsLoss):
        return (uniform < outputs.double().sigmoid()).to(outputs.dtype)
    return outputs + 0.5**0.5 * torch.special.ndtri(uniform).to(outputs.dtype)


def samples_of(chunk: SupervisedChunk, outputs: Tensor, reduction: str) -> Samples:
    """What a drawn label belongs to: a token, an element, or for a `Likelihood` a row."""
    criterion: object = chunk.terms.criterion
    if isinstance(criterion, Likelihood):
        return rows_of(chunk, outputs, reduction)
    return (tokens_of if isinstance(criterion, nn.CrossEntropyLoss) else elements_of)(chunk, outputs)


def _draw_classes(outputs: Tensor, targets: object, ignore_index: int, generator: torch.Generator) -> Tensor:
    assert isinstance(targets, Tensor)
    distribution = outputs.double().softmax(1).cumsum(1)
    uniform = _uniform((outputs.shape[0], *outputs.shape[2:]), generator).unsqueeze(1)
    # Scaled by the last entry, which rounding may leave below one.
    drawn = (distribution <= uniform * distribution[:, -1:]).sum(1).clamp(max=outputs.shape[1] - 1)
    if targets.is_floating_point():
        return F.one_hot(drawn, outputs.shape[1]).movedim(-1, 1).to(targets.dtype)
    return torch.where(targets == ignore_index, targets, drawn)


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    drawn = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64)
    # Zero, one draw in 2⁵³, has no finite normal quantile.
    return drawn.clamp(min=torch.finfo(torch.float64).tiny)
