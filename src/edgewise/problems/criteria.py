"""The two losses of the experiments, as values that can be written down."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.data import LoadedData
from edgewise.foundation import SettingError

Function = Callable[[Tensor, Tensor], Tensor]
"""(outputs, targets) ↦ a scalar, or a metric of the same arguments."""


class Criterion(ABC):
    """A mean over samples or tokens of how far outputs are from targets."""

    __slots__ = ()

    @abstractmethod
    def targets(self, data: LoadedData, dtype: torch.dtype) -> Tensor:
        """The targets in the form that the function takes.

        Raises:
            SettingError: if these targets have no such form.
        """

    @abstractmethod
    def function(self) -> Function:
        """The loss, (outputs, targets) ↦ scalar."""

    @abstractmethod
    def metrics(self) -> Mapping[str, Function] | None:
        """What is read beside the loss; None leaves the choice to the objective."""


@final
@dataclass(frozen=True, slots=True)
class SquaredError(Criterion):
    """Half the squared distance, summed over outputs and averaged over samples.

        L = (1/n) Σ_i ½ ‖f(x_i) − y_i‖²

    Class indices become one-hot rows of zeros and ones. Note the ½, and that the outputs are summed: this is
    `torch.nn.MSELoss` times half the number of outputs.

    References:
        cohen2021gradient
    """

    def targets(self, data: LoadedData, dtype: torch.dtype) -> Tensor:
        """Real targets as they are, classes as one-hot rows."""
        if data.classes is None:
            return data.targets
        if data.targets.ndim != 1:
            raise SettingError(
                f"a squared error on {data.name}",
                "it compares one row of outputs per sample, and these have a class at every token",
                "Type criterion=CrossEntropy()",
            )
        return F.one_hot(data.targets, data.classes).to(dtype)

    def function(self) -> Function:
        """(1/n) Σ ½ ‖f − y‖²."""
        return HalfSquaredDistance()

    def metrics(self) -> Mapping[str, Function] | None:
        """The objective's own: the accuracy where targets are one-hot."""
        return None


@final
class HalfSquaredDistance:
    """(1/n) Σ ½ ‖f − y‖²: the negative log-likelihood of a unit Gaussian around f, up to a constant."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of one chunk."""
        difference = outputs - targets
        return 0.5 * (difference * difference).sum() / len(difference)

    def sample_targets(self, outputs: Tensor, generator: torch.Generator) -> Tensor:
        """Targets that the model itself expects: f plus a unit Gaussian."""
        noise = torch.randn(outputs.shape, generator=generator, dtype=outputs.dtype, device=outputs.device)
        return outputs + noise


@final
@dataclass(frozen=True, slots=True)
class CrossEntropy(Criterion):
    """The negative log-probability of the target class, averaged over samples, or over tokens.

        L = −(1/n) Σ_i log softmax(f(x_i))_{y_i}

    References:
        cohen2021gradient
    """

    def targets(self, data: LoadedData, dtype: torch.dtype) -> Tensor:
        """Class indices as they are."""
        if data.classes is None:
            raise SettingError(
                f"a cross-entropy on {data.name}", "its targets are real values", "Type criterion=SquaredError()"
            )
        return data.targets

    def function(self) -> Function:
        """`torch.nn.CrossEntropyLoss`, which takes the classes on the second axis."""
        return nn.CrossEntropyLoss()

    def metrics(self) -> Mapping[str, Function] | None:
        """The accuracy: the share of samples or tokens whose largest output is the target."""
        return {"accuracy": share_correct}


def share_correct(outputs: Tensor, targets: Tensor) -> Tensor:
    """The share of samples or tokens whose largest output, along the second axis, is the target."""
    return (outputs.argmax(1) == targets).to(outputs.dtype).mean()


def criterion_named(loss: str) -> Criterion:
    """The criterion of that short name, for recipes.

    Args:
        loss: "mse" or "ce".

    Raises:
        SettingError: if it is neither.
    """
    if loss == "mse":
        return SquaredError()
    if loss == "ce":
        return CrossEntropy()
    raise SettingError(
        f"loss={loss!r}", "there are the squared error and the cross-entropy", "Type loss='mse' or loss='ce'"
    )
