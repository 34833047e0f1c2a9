"""A problem: data, a model and a criterion, which together are an objective that has a name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from edgewise.data import Data
from edgewise.foundation import JSON, SettingError
from edgewise.models import Model
from edgewise.objectives import Objective
from edgewise.problems.criteria import Criterion


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is fitted, by what, in which sense: everything that determines L(w) and its start.

    A problem is a recipe: it can be written down, and builds the same objective again.

    Args:
        name: a short name, for the folder of the run.
        data: the samples.
        model: the architecture; input and output sizes follow from the data.
        criterion: the loss of outputs against targets.
        seed: of the initial parameters.
        dtype: float32 or float64. The initial parameters are drawn in float32, so both start at the same point.
        device: where everything is computed, `"cpu"` or `"cuda"`.
        chunk_size: samples per forward pass; None takes all at once. Changes memory, not the result.
        ghost_batch: the fixed partition of the data for batch normalisation; changes the result.

    Raises:
        SettingError: if dtype is not float32 or float64.

    Example:
        >>> from edgewise.data import Chebyshev
        >>> from edgewise.models import MLP
        >>> from edgewise.problems import SquaredError
        >>> line = Problem(name="line", data=Chebyshev(degree=1), model=MLP(widths=()), criterion=SquaredError())
        >>> line.objective().size
        2
    """

    name: str
    data: Data
    model: Model
    criterion: Criterion
    seed: int = 0
    dtype: torch.dtype = torch.float32
    device: str = "cpu"
    chunk_size: int | None = None
    ghost_batch: int | None = None

    def __post_init__(self) -> None:
        if self.dtype not in (torch.float32, torch.float64):
            raise SettingError(
                f"dtype={self.dtype}",
                "curvature is a difference of large numbers and needs at least single precision",
                "Type dtype=torch.float32 or torch.float64",
            )

    def objective(self) -> Objective:
        """L(w), starting at the model's initial parameters.

        Raises:
            DataError: if the data cannot be read.
            SettingError: if data, model and criterion do not fit together.
            ObjectiveError: if they do not make one function of the parameters.
        """
        data = self.data.load(self.dtype)
        targets = self.criterion.targets(data, self.dtype)
        module = self.model.build(data.input_shape, data.outputs, self.seed)
        mixing = [type(layer).__name__ for layer in module.modules() if getattr(layer, "mixes_samples", False)]
        if mixing and self.ghost_batch is None:
            raise SettingError(
                f"the problem {self.name} with {mixing[0]} and no ghost_batch",
                "the loss depends on which samples share a batch, so the partition has to be fixed",
                f"Type ghost_batch={min(1000, len(data))}",
            )
        if data.classes is not None and targets.ndim == 2 and not targets.is_floating_point():
            module = _ClassesSecond(module)
        return Objective.from_module(
            module.to(device=self.device, dtype=self.dtype),
            self.criterion.function(),
            (data.inputs.to(self.device), targets.to(self.device)),
            chunk_size=self.chunk_size,
            ghost_batch=self.ghost_batch,
            metrics=self.criterion.metrics(),
        )

    def provenance(self) -> Mapping[str, JSON]:
        """Where the data come from: source in words, checksum of what is read, and how much of it is used.

        Raises:
            DataError: if the data cannot be read.
        """
        data = self.data.load(self.dtype)
        return {
            "name": data.name,
            "source": data.source,
            "checksum": f"sha256:{data.checksum}",
            "samples": len(data),
            "input_shape": list(data.input_shape),
            "classes": data.classes,
        }


@final
class _ClassesSecond(nn.Module):
    """Moves the logits of tokens from (samples, tokens, classes) to where PyTorch's criteria expect them."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.module(x).transpose(1, 2)
        return out
