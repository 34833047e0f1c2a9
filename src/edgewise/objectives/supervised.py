"""The supervised objective: the mean of a criterion over a fixed data set, chunk by chunk.

    L(w) = Σ_c share_c · criterion(f_w(x_c), y_c),     share_c = weight_c / Σ weight

with the weights of `averaging.weight_of`, so that L does not depend on how the data are cut.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.func import functional_call

from edgewise.foundation import ObjectiveError, ParameterSpace, Scalar, first_line
from edgewise.objectives.averaging import Criterion, Metric, weight_in_metric, weight_of
from edgewise.objectives.fixed_data import FixedData, Nested, map_tensors, tensors_in
from edgewise.objectives.terms import Chunk, Terms


@final
@dataclass(frozen=True)
class SupervisedTerms(Terms):
    """A module, a criterion and a fixed data set.

    Attributes:
        module: a private copy, its mode (train or eval) frozen as it was given; no parameter requires a
            gradient, since w is handed in from outside.
        space: the trainable parameters that make up w.
        total: Σ weight for a mean; for a criterion that adds up 1, in a batch its share of the samples.
        samples: number of samples.
        metric_totals: Σ over the chunks of what each metric's mean divides by.
    """

    module: nn.Module
    criterion: Criterion
    data: FixedData
    space: ParameterSpace
    metrics: Mapping[str, Metric]
    reduction: str
    total: float
    samples: int
    metric_totals: Mapping[str, int]

    @classmethod
    def of(
        cls, module: nn.Module, criterion: Criterion, data: FixedData, parameters: Sequence[str] | str | None
    ) -> "SupervisedTerms":
        """The terms before their preflight: a mean with unit weights, no metrics."""
        space = ParameterSpace.of(module, parameters)
        return cls(_private_copy(module), criterion, data, space, {}, "mean", 1.0, 1, {})

    @property
    def size(self) -> int:  # type: ignore[override]
        """The length of w."""
        return self.space.size

    @cached_property
    def dtype(self) -> torch.dtype:  # type: ignore[override]
        """The precision of the parameters."""
        return self.start.dtype

    @cached_property
    def device(self) -> torch.device:  # type: ignore[override]
        """The device of the parameters."""
        return self.start.device

    @cached_property
    def start(self) -> Tensor:
        """The module's parameters as one flat vector."""
        named = dict(self.module.named_parameters())
        dtypes = {named[name].dtype for name in self.space.names}
        if len(dtypes) > 1 or not next(iter(dtypes)).is_floating_point:
            raise ObjectiveError(
                f"parameters of {', '.join(sorted(map(str, dtypes)))}",
                "one flat vector needs one real floating-point type",
                "Type module.float() or module.double()",
            )
        return self.space.flatten(named).detach()

    def chunks(self) -> Iterator["SupervisedChunk"]:
        """The chunks of one pass."""
        for inputs, targets in self.data:
            weight = weight_of(self.criterion, targets) if self.reduction == "mean" else 1.0
            yield SupervisedChunk(self, inputs, targets, weight / self.total)

    def outputs(self, w: Tensor, inputs: Nested) -> Any:
        """f_w(x): one forward pass of the module with its parameters replaced by w.

        Buffers are handed in as copies: a train-mode layer that writes its running statistics writes into
        those, and the next call finds them as they were.
        """
        replaced = {name: buffer.clone() for name, buffer in self.module.named_buffers()}
        parts = self.space.unflatten(w)
        replaced.update({slot: parts[name] for slot, name in self._slots})
        args, named = (), {}
        if isinstance(inputs, Mapping):
            named = dict(inputs)
        else:
            args = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
        # PyTorch's own tying puts a module that is registered twice back with what it was given last.
        return functional_call(self.module, replaced, args, named, tie_weights=False)

    @cached_property
    def _slots(self) -> tuple[tuple[str, str], ...]:
        """Every place in the module that holds a parameter of w, once, with the parameter's name."""
        known = {id(p): name for name, p in self.module.named_parameters() if name in self.space.names}
        return tuple(
            (f"{path}.{leaf}" if path else leaf, known[id(parameter)])
            for path, module in self.module.named_modules()
            for leaf, parameter in module._parameters.items()
            if id(parameter) in known
        )

    def to(self, dtype: torch.dtype) -> "SupervisedTerms":
        """The same terms with module and floating-point data in another precision."""
        module = copy.deepcopy(self.module).to(dtype)
        criterion = copy.deepcopy(self.criterion)
        criterion = criterion.to(dtype) if isinstance(criterion, nn.Module) else criterion
        return SupervisedTerms(
            module, criterion, _Cast(self.data, dtype), self.space, self.metrics,
            self.reduction, self.total, self.samples, self.metric_totals,
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class SupervisedChunk(Chunk):
    """One chunk: its data and its share of the whole."""

    terms: SupervisedTerms
    inputs: Nested
    targets: Nested
    share: float

    def outputs(self, w: Tensor) -> Any:
        """f_w of this chunk's inputs."""
        return self.terms.outputs(w, self.inputs)

    def criterion(self, outputs: Any) -> Scalar:
        """The chunk's share of L as a function of the outputs."""
        if self.share == 0.0:
            # A chunk in which every token is ignored: its own mean is 0/0, its share of the whole is nothing.
            return 0.0 * next(tensors_in(outputs)).sum()
        value = self.terms.criterion(outputs, self.targets)
        if not isinstance(value, Tensor) or value.ndim != 0:
            shape = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise ObjectiveError(
                f"a criterion that returns {shape}",
                "an objective is a scalar",
                "Type reduction='mean', or end the criterion with .mean()",
            )
        return value * self.share

    def loss(self, w: Tensor) -> Scalar:
        """The chunk's share of L(w)."""
        return self.criterion(self.outputs(w))

    def loss_and_metrics(self, w: Tensor) -> tuple[Scalar, Mapping[str, Tensor]]:
        """The chunk's share of L(w) and of every metric."""
        outputs = self.outputs(w)
        detached = map_tensors(lambda t: t.detach(), outputs)
        shares = {
            name: weight_in_metric(metric, self.targets) / (self.terms.metric_totals[name] or 1)
            for name, metric in self.terms.metrics.items()
        }
        metrics = {
            name: shares[name] * metric(detached, self.targets) for name, metric in self.terms.metrics.items()
        }
        return self.criterion(outputs), metrics


@final
@dataclass(frozen=True)
class _Cast(FixedData):
    data: FixedData
    dtype: torch.dtype

    def __iter__(self) -> Iterator[tuple[Nested, Nested]]:
        for pair in self.data:
            inputs, targets = map_tensors(lambda t: t.to(self.dtype) if t.is_floating_point() else t, pair)
            yield inputs, targets

    def batch(self, indices: Tensor) -> FixedData:
        return _Cast(self.data.batch(indices), self.dtype)


def _private_copy(module: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(module).requires_grad_(False)
    except (RuntimeError, TypeError) as error:
        raise ObjectiveError(
            f"a {type(module).__name__} that cannot be copied",
            f"the objective keeps its own copy, so that changes of mode do not reach it ({first_line(error)})",
            "Use weight_norm and spectral_norm from torch.nn.utils.parametrizations; keep locks and files outside",
        ) from error
