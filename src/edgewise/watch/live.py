"""The loss of a model that somebody else is training, asked at other weights than its own.

The weights are put in place, the loss is computed, and everything is as it was: parameters, gradients, buffers,
random numbers, mode. A forward pass is all that is needed, so whatever the model is made of will do: fused
attention, half precision, compiled graphs. Second derivatives go through the parts of `objectives`, on the same
model and without a copy of it.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from edgewise.foundation import Parameters, ParameterSpace, SettingError, first_line
from edgewise.objectives import DoubleBackward, Point, SupervisedTerms, fixed_data
from edgewise.watch.randomness import draw_alike, randomness_kept
from edgewise.watch.sharding import Agreement, Shards, local

Autocast = Callable[[], AbstractContextManager[Any]]
Weights = list[Tensor]
"""A value for every parameter that is trained, in the order of `LiveLoss.space`."""


@final
class LiveLoss:
    """The loss of a live model on a batch, as a function of its weights.

    Of a sharded model it is the loss of all processes, each with a batch of its own: their mean, weighted by
    samples. Every process has to ask for it at once, and weights are the shards of this one.

    Args:
        model: the model as it is trained; a wrapper of `DistributedDataParallel` is looked through, since a
            reading takes no part in the exchange between processes.
        criterion: `criterion(outputs, targets)` → scalar; None if the model returns its loss, or an output
            with `.loss`.
        batch: `(inputs, targets)`, or with no criterion a dict of keyword arguments.
        parameters: the names of those that are trained, and the tensors.
        autocast: makes the context in which a forward pass runs.
        seed: of the random numbers inside a forward pass: every one draws the same dropout.

    Attributes:
        samples: how many the probe batch has, those of all processes of a sharded model.

    Raises:
        SettingError: if the parts do not make one number.
    """

    def __init__(
        self,
        model: nn.Module,
        criterion: Callable[..., Tensor] | None,
        batch: Any,
        parameters: Mapping[str, Tensor],
        *,
        autocast: Autocast | None = None,
        seed: int = 0,
    ) -> None:
        self.model = bare(model)
        self.criterion = criterion
        self.autocast: Autocast = autocast or nullcontext
        self.space = ParameterSpace(tuple(parameters), tuple(tuple(p.shape) for p in parameters.values()))
        self._owners = list(parameters.values())
        self._seed = seed
        self.shards = Shards(self.model, self._owners)
        with self.agreement.together():
            self.inputs, self.targets = self._halves(batch)
            self._check_devices()
            self.samples = round(self.shards.replicas * self.agreement.mean(float(_samples(self.inputs)), 1))
            self._check_value()

    @property
    def agreement(self) -> Agreement:
        """Of the processes that share the model."""
        return self.shards.agreement

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.shards.device(self._parameters[0])

    def use_autocast(self, autocast: Autocast) -> None:
        """Run forward passes in this context from now on."""
        self.autocast = autocast

    @property
    def rounding(self) -> float:
        """By what share of itself the loss may differ between two evaluations at nearly the same weights."""
        with self.autocast():
            kind = self.device.type
            dtype = (
                torch.get_autocast_dtype(kind)
                if torch.is_autocast_enabled(kind)
                else self.shards.dtype(self._parameters[0])
            )
        # The loss is a mean over samples, which rounds each on its own.
        return torch.finfo(dtype).eps / (1.0 if dtype in (torch.float32, torch.float64) else self.samples**0.5)

    def snapshot(self, into: Weights | None = None) -> Weights:
        """The present weights: a copy, into the same memory as the last one if that is given."""
        if into is None:
            return [p.clone() for p in self._parameters]
        torch._foreach_copy_(into, self._parameters)
        return into

    @contextmanager
    def between(self, old: Weights, new: Weights, batch: Any = None) -> Iterator[Callable[[float], float]]:
        """Inside, the loss at old + s (new − old), as a function of s; the model is as it was afterwards.

        Args:
            old: where s = 0.
            new: where s = 1.
            batch: what to take the loss of; None takes the probe batch.
        """
        inputs, targets = (self.inputs, self.targets) if batch is None else self._halves(batch)

        def loss(s: float) -> float:
            torch._foreach_copy_(self._parameters, torch._foreach_lerp(old, new, s))
            return self._value(inputs, targets)

        with self._untouched(), torch.no_grad():
            here = self.snapshot()
            try:
                yield loss
            finally:
                torch._foreach_copy_(self._parameters, here)

    def value_at(self, weights: Weights | None = None, batch: Any = None) -> float:
        """The loss at some weights; None takes the present ones."""
        here = weights if weights is not None else self.snapshot()
        with self.between(here, here, batch) as loss:
            return loss(0.0)

    @contextmanager
    def point(self, indices: Tensor | None = None, kept: Sequence[int] | None = None) -> Iterator[Point]:
        """Inside, the loss at the present weights with gradient and Hessian-vector products, in full precision.

        Args:
            indices: numbers of the samples of the probe batch to take; None takes all.
            kept: places of the parameters to differentiate by; None takes all.

        Raises:
            SettingError: if the parameters are sharded, or in half precision, where a Hessian is mostly rounding.
        """
        if self.shards:
            raise SettingError(
                "second derivatives of a sharded model",
                "PyTorch gathers its weights anew in every forward pass, and takes no derivative through that",
                "Read the critical sharpness, which takes forward passes alone",
            )
        if not self.differentiable_twice:
            raise SettingError(
                f"second derivatives with parameters of {self._parameters[0].dtype}",
                "in half precision they are mostly rounding",
                "Keep the parameters in float32 and train under autocast; critical sharpness works with both",
            )
        whole = _OneBatch(self.inputs, self.targets, self.samples)
        data = whole if indices is None else whole.batch(indices)
        space = self.part(kept)
        w = torch.cat(
            [self._parameters[i].reshape(-1) for i in (range(len(self._parameters)) if kept is None else kept)]
        )
        terms = SupervisedTerms(
            uncompiled(self.model), self._of_outputs, data, space,
            {}, "sum", 1.0, self.samples, {},
        )  # fmt: skip
        with self._untouched(), _plainly(self.device.type):
            draw_alike(self._seed, self.device)
            yield Point(terms, w, DoubleBackward(), separate_gradient=False)

    @property
    def finite(self) -> bool:
        """Whether all weights are finite numbers."""
        return all(bool(torch.isfinite(p).all()) for p in self._parameters)

    @property
    def differentiable_twice(self) -> bool:
        """Whether all parameters are whole and in full precision."""
        return not self.shards and all(p.dtype in (torch.float32, torch.float64) for p in self._parameters)

    def part(self, kept: Sequence[int] | None) -> ParameterSpace:
        """The names and shapes of the parameters at these places."""
        if kept is None:
            return self.space
        return ParameterSpace(tuple(self.space.names[i] for i in kept), tuple(self.space.shapes[i] for i in kept))

    @property
    def _parameters(self) -> Weights:
        # Looked up each time: some training puts another tensor into the same parameter, as p.data = … does.
        return [local(p.detach()) for p in self._owners]

    def flat(self, tensors: Sequence[Tensor | None]) -> Parameters:
        """A tensor for each parameter, None for zero, as one vector."""
        pairs = zip(tensors, self._parameters, strict=True)
        return torch.cat([(torch.zeros_like(p) if t is None else local(t.detach())).reshape(-1) for t, p in pairs])

    def _halves(self, batch: Any) -> tuple[Any, Any]:
        if self.criterion is None:
            if not isinstance(batch, Mapping):
                raise SettingError(
                    f"a batch of type {type(batch).__name__} and no criterion",
                    "a model that returns its own loss is called with a dict of keyword arguments",
                    "Give the dict of the data collator, or a criterion and (inputs, targets)",
                )
            # Nothing is done with the targets of a model that returns its own loss.
            return dict(batch), next(fixed_data.tensors_in(batch), torch.zeros(1))
        if isinstance(batch, Mapping) or not isinstance(batch, Sequence) or len(batch) != 2:
            raise SettingError(
                f"a batch of type {type(batch).__name__}",
                "the loss is taken of inputs and targets",
                "Give (inputs, targets), or criterion=None for a model that returns its own loss",
            )
        inputs, targets = batch
        for name, half in (("inputs", inputs), ("targets", targets)):
            if next(fixed_data.tensors_in(half), None) is None:
                raise SettingError(
                    f"{name} of type {type(half).__name__}",
                    "no tensor is in them",
                    "Give tensors, or a nest of them",
                )
        return inputs, targets

    def _check_devices(self) -> None:
        for name, half in (("inputs", self.inputs), ("targets", self.targets)):
            for tensor in fixed_data.tensors_in(half):
                if tensor.device != self.device:
                    raise SettingError(
                        f"a probe batch whose {name} are on {tensor.device}",
                        f"the model is on {self.device}",
                        f"Type .to({str(self.device)!r}) on the probe batch",
                    )
        if _samples(self.inputs) == 0:
            raise SettingError(
                "a probe batch without samples",
                "the first axis of its first tensor counts them",
                "Give a batch as the training takes",
            )

    def _check_value(self) -> None:
        shapes = ", ".join(str(tuple(t.shape)) for t in fixed_data.tensors_in(self.inputs))
        with self._untouched(), torch.no_grad(), self.autocast(), self.shards.gathered():
            try:
                outputs = self._outputs(self.inputs)
            except Exception as error:
                raise SettingError(
                    f"a probe batch with inputs of shape {shapes}",
                    f"the model cannot be called with them ({type(error).__name__}: {first_line(error)})",
                    "Give the same kind of batch as the training takes",
                ) from error
            try:
                value = self._of_outputs(outputs, self.targets)
            except SettingError:
                raise
            except Exception as error:
                targets = ", ".join(str(tuple(t.shape)) for t in fixed_data.tensors_in(self.targets))
                raise SettingError(
                    f"a probe batch with targets of shape {targets}",
                    f"the criterion cannot be called with them ({type(error).__name__}: {first_line(error)})",
                    "Give the same kind of batch as the training takes",
                ) from error
        if not isinstance(value, Tensor) or value.ndim != 0:
            kind = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise SettingError(
                f"a criterion that returns {kind}",
                "a loss is one number",
                "Type reduction='mean', or end the criterion with .mean()",
            )
        if not math.isfinite(value):
            raise SettingError(
                f"a probe batch with a loss of {float(value)}",
                "nothing can be compared with it",
                "Give a batch without nan, and a model whose parameters are finite",
            )

    def _value(self, inputs: Any, targets: Any) -> float:
        # Under autocast PyTorch keeps casts of the weights, which are no longer theirs.
        torch.clear_autocast_cache()
        draw_alike(self._seed, self.device)
        with self.autocast(), self.shards.gathered():
            value = float(self._of_outputs(self._outputs(inputs), targets))
        return self.agreement.mean(value, _samples(inputs))

    def _outputs(self, inputs: Any) -> Any:
        if isinstance(inputs, Mapping):
            return self.model(**inputs)
        return self.model(inputs) if isinstance(inputs, Tensor) else self.model(*inputs)

    def _of_outputs(self, outputs: Any, targets: Any) -> Any:
        if self.criterion is not None:
            return self.criterion(outputs, targets)
        if isinstance(outputs, Tensor):
            return outputs
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else getattr(outputs, "loss", None)
        if loss is None:
            raise SettingError(
                f"a model that returns {type(outputs).__name__} without a loss",
                "with no criterion the model has to return it",
                "Give the labels in the probe batch, or a criterion",
            )
        return loss

    @contextmanager
    def _untouched(self) -> Iterator[None]:
        """Random numbers and buffers inside are whatever they become; outside they are as they were."""
        buffers = [
            (owner, dict(owner._buffers), [(b, b.clone()) for b in owner._buffers.values() if b is not None])
            for owner in self.model.modules()
        ]
        try:
            with randomness_kept(self.device):
                yield
        finally:
            torch.clear_autocast_cache()
            with torch.no_grad():
                for owner, own, values in buffers:
                    for buffer, value in values:
                        if not torch.equal(buffer, value):
                            buffer.copy_(value)
                    # Not those either that a first forward pass makes for itself.
                    owner._buffers.clear()
                    owner._buffers.update(own)


@final
@dataclass(frozen=True, slots=True)
class _OneBatch(fixed_data.FixedData):
    """A batch in one piece, whose tensors need not agree in their first axis: a mask, a number of tokens."""

    inputs: Any
    targets: Any
    samples: int

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        yield self.inputs, self.targets

    def batch(self, indices: Tensor) -> "_OneBatch":
        def rows(t: Tensor) -> Tensor:
            return t[indices] if t.ndim and t.shape[0] == self.samples else t

        def rows_of_targets(t: Tensor) -> Tensor:
            # Tokens in one row, those of a sample next to each other.
            if t.ndim and t.shape[0] > self.samples and t.shape[0] % self.samples == 0:
                return t.unflatten(0, (self.samples, -1))[indices].flatten(0, 1)
            return rows(t)

        inputs = fixed_data.map_tensors(rows, self.inputs)
        return _OneBatch(inputs, fixed_data.map_tensors(rows_of_targets, self.targets), len(indices))


def bare(model: nn.Module) -> nn.Module:
    """The model inside a wrapper that exchanges gradients between processes."""
    wrapper = uncompiled(model)
    return wrapper.module if isinstance(wrapper, DistributedDataParallel) else model


def uncompiled(model: nn.Module) -> nn.Module:
    """The module that a compiled one was made from, with the same parameters under plain names."""
    inner = getattr(model, "_orig_mod", model)
    return inner if isinstance(inner, nn.Module) else model


def replicas(model: nn.Module) -> int:
    """How many processes train the same model, each on samples of its own."""
    wrapper = uncompiled(model)
    if isinstance(wrapper, DistributedDataParallel):
        return wrapper.process_group.size()
    return Shards(model, ()).replicas


def _samples(inputs: Any) -> int:
    return next((t.shape[0] for t in fixed_data.tensors_in(inputs) if t.ndim), 0)


@contextmanager
def _plainly(kind: str) -> Iterator[None]:
    """Inside, forward passes are in full precision and not compiled: a compiled graph has no second derivative."""
    with ExitStack() as stack:
        if torch.is_autocast_enabled(kind):
            stack.enter_context(torch.autocast(kind, enabled=False))
        # Whoever compiles has this module; to load it takes seconds.
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield
