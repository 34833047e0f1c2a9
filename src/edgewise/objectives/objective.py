"""The objective: L(w) as a black box with derivatives.

Made from a module, a criterion and a fixed data set, or from a plain function; what a solver may ask of it
is the same in both cases.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from edgewise.foundation import (
    ObjectiveError,
    Parameters,
    ParameterSpace,
    Scalar,
    exact_arithmetic,
    first_line,
    generator,
)
from edgewise.objectives.averaging import Criterion, Metric
from edgewise.objectives.batches import Batches, supervised
from edgewise.objectives.fixed_data import fixed_data
from edgewise.objectives.point import Point
from edgewise.objectives.preflight import evaluate_twice, inspect, refuse_random_layers
from edgewise.objectives.supervised import SupervisedTerms
from edgewise.objectives.terms import FunctionTerms, SingleTerm, Terms
from edgewise.objectives.ways import DoubleBackward, Evaluation, Way, plain_gradient


@final
class Objective:
    """A loss L: ℝᵖ → ℝ with its gradient, Hessian-vector and third-order products.

    Use `from_module` or `from_function`.

    Attributes:
        terms: the chunks that add up to L.
        space: names and shapes behind the entries of w; None for a plain function.
        way: how second and third derivatives are taken.
    """

    def __init__(self, terms: Terms, start: Parameters, space: ParameterSpace | None, way: Way) -> None:
        evaluate_twice(terms, start)
        self.terms, self.space, self.way = terms, space, way
        self._start = start
        self._separate_gradient = not self._gradients_agree()

    @classmethod
    def from_module(
        cls,
        module: nn.Module,
        criterion: Criterion,
        data: Any,
        chunk_size: int | None = None,
        *,
        ghost_batch: int | None = None,
        parameters: Sequence[str] | str | None = None,
        metrics: Mapping[str, Metric] | None = None,
        way: Way | None = None,
    ) -> "Objective":
        """The mean of a criterion over a fixed data set.

        Args:
            module: any module; copied, its mode (train or eval) kept as it is.
            criterion: `criterion(outputs, targets)` → scalar, a mean (or a sum) over samples or tokens.
            data: `(inputs, targets)`, a map-style `Dataset`, or a finite `DataLoader` that does not shuffle;
                inputs may be a tensor, a tuple (positional arguments) or a dict (keyword arguments).
            chunk_size: samples per forward pass; None takes all at once. Changes memory, not the result.
            ghost_batch: fixed partition for batch normalisation in train mode; changes the result. The batches
                of a `DataLoader` are such a partition.
            parameters: names or prefixes of the parameters that make up w; None takes all trainable ones.
            metrics: `{name: metric(outputs, targets)}`, means over samples; None takes the accuracy where the
                targets are classes.
            way: how to take second derivatives; None takes `DoubleBackward()`.

        Raises:
            ObjectiveError: if the parts do not make one function L(w); the sentence names the cause.

        Example:
            >>> import torch
            >>> from edgewise.objectives import Objective
            >>> layer = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
            >>> data = torch.tensor([[1.0], [2.0]]).double(), torch.zeros(2, 1).double()
            >>> objective = Objective.from_module(layer, torch.nn.MSELoss(), data)
            >>> objective.at(objective.start).hvp(torch.ones(1).double())  # 2 · mean(x²)
            tensor([5.], dtype=torch.float64)
        """
        chunks = fixed_data(data, chunk_size, ghost_batch)
        refuse_random_layers(module, partitioned=ghost_batch is not None or isinstance(data, DataLoader))
        terms = inspect(SupervisedTerms.of(module, criterion, chunks, parameters), metrics)
        return cls(terms, terms.start, terms.space, way or DoubleBackward())

    @classmethod
    def from_function(
        cls,
        function: Callable[[Tensor], Tensor],
        size: int,
        dtype: torch.dtype = torch.float64,
        *,
        start: Tensor | None = None,
        device: torch.device | str = "cpu",
        way: Way | None = None,
    ) -> "Objective":
        """A plain function of a flat vector.

        Args:
            function: w of shape (size,) ↦ scalar tensor, differentiable.
            size: the length of w.
            dtype: float32 or float64.
            start: where descents start; None starts at zero.
            device: where w lives.
            way: how to take second derivatives; None takes `DoubleBackward()`.

        Example:
            >>> import torch
            >>> from edgewise.objectives import Objective
            >>> cube = Objective.from_function(lambda w: (w**3).sum(), size=2)
            >>> at = cube.at(torch.tensor([1.0, 2.0]).double())
            >>> at.hvp(torch.ones(2).double())  # 6 w
            tensor([ 6., 12.], dtype=torch.float64)
        """
        if size < 1:
            raise ObjectiveError(f"size={size}", "there is nothing to differentiate", "Type size=1 or more")
        if not dtype.is_floating_point:
            raise ObjectiveError(f"dtype={dtype}", "derivatives need real numbers", "Type dtype=torch.float64")
        point = torch.zeros(size) if start is None else start.detach()
        if point.shape != (size,):
            raise ObjectiveError(
                f"a start of shape {tuple(point.shape)}",
                f"w has shape ({size},)",
                "Type start=torch.zeros(size)",
            )
        point = point.to(dtype=dtype, device=device, copy=True)
        return cls(FunctionTerms(function, size, dtype, point.device), point, None, way or DoubleBackward())

    @property
    def start(self) -> Parameters:
        """The module's parameters as they were given, or the point given with the function (a copy)."""
        return self._start.clone()

    @property
    def size(self) -> int:
        """The length of w."""
        return self.terms.size

    @property
    def dtype(self) -> torch.dtype:
        """The precision of w."""
        return self.terms.dtype

    @property
    def device(self) -> torch.device:
        """The device of w."""
        return self.terms.device

    @property
    def samples(self) -> int:
        """The number of samples that L is a mean (or a sum) over.

        Raises:
            ObjectiveError: for a plain function, which has none.
        """
        return supervised(self.terms).samples

    def at(self, w: Parameters, *, products: bool = True) -> Point:
        """The objective at one point.

        Args:
            w: the point.
            products: whether products are going to be asked for: the gradient is then built ready for them.
                False makes value and gradient cheaper; a product asked for all the same builds the graph then.

        Raises:
            ObjectiveError: if w has another shape, precision or device than the objective.
        """
        separate = self._separate_gradient or not products
        return Point(self.terms, self._checked(w), self.way, separate_gradient=separate)

    def batch_at(self, w: Parameters, indices: Tensor, *, products: bool = False) -> Point:
        """The loss of some of the samples at one point: L_B, an estimate of L; no metrics.

        Args:
            w: the point.
            indices: sample numbers 0 … samples − 1, repeated ones allowed. They may live on any device.
            products: as of `at`.

        Raises:
            ObjectiveError: if w does not fit, or if this objective has no mini-batches: a plain function, a
                loader of an iterable, layers that mix samples, a criterion that compares them.
            SettingError: if `indices` are not a row of sample numbers.

        Example:
            >>> import torch
            >>> from edgewise.objectives import Objective
            >>> layer = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
            >>> data = torch.tensor([[1.0], [2.0]]).double(), torch.zeros(2, 1).double()
            >>> objective = Objective.from_module(layer, torch.nn.MSELoss(), data)
            >>> batch = objective.batch_at(objective.start, torch.tensor([1]))
            >>> batch.hvp(torch.ones(1).double())  # 2 · 2²
            tensor([8.], dtype=torch.float64)
        """
        separate = self._separate_gradient or not products
        return Point(self._batches.at(indices), self._checked(w), self.way, separate_gradient=separate)

    def evaluate(self, w: Parameters) -> Evaluation:
        """Value, gradient and metrics, with nothing kept for products: the cheapest way to step."""
        return plain_gradient(self.terms, self._checked(w))

    def value(self, w: Parameters) -> Scalar:
        """L(w)."""
        w = self._checked(w)
        with torch.no_grad(), exact_arithmetic():
            total = torch.zeros((), dtype=w.dtype, device=w.device)
            for chunk in self.terms.chunks():
                total += chunk.loss(w)
        return total

    def gradient(self, w: Parameters) -> Parameters:
        """∇L(w)."""
        return self.evaluate(w).gradient

    def using(self, way: Way) -> "Objective":
        """The same objective with its second derivatives taken another way."""
        return Objective(self.terms, self.start, self.space, way)

    def to(self, dtype: torch.dtype) -> "Objective":
        """The same objective in another precision.

        Raises:
            ObjectiveError: for a plain function whose constants, which nothing outside can convert, do not go
                with that precision.
        """
        if dtype == self.dtype:
            return self
        if isinstance(self.terms, SupervisedTerms):
            terms = self.terms.to(dtype)
            return Objective(terms, terms.start, terms.space, self.way)
        if isinstance(self.terms, FunctionTerms):
            try:
                converted = dataclasses.replace(self.terms, dtype=dtype)
                return Objective(converted, self._start.to(dtype), None, self.way)
            except RuntimeError as error:
                raise ObjectiveError(
                    f"a plain function of {self.dtype} asked for in {dtype}",
                    f"something in it stays in its own precision ({first_line(error)})",
                    "Convert what the function closes over with .to(w.dtype)",
                ) from error
        raise AssertionError(type(self.terms))

    @cached_property
    def _batches(self) -> Batches:
        return Batches(self.terms)

    def _gradients_agree(self) -> bool:
        """Whether a gradient that is built to be differentiated is bit by bit the plain one.

        Asked at the start and at a random point beside it, since many starts are too special: at zero most
        products are exact. Asked chunk by chunk, so that it takes no more memory than one of them.
        """
        noise = torch.randn(self.size, generator=generator(0, "objective"), dtype=torch.float64)
        aside = self._start + 0.01 * noise.to(self._start)
        return all(
            _agrees(SingleTerm(chunk, self.size, self.dtype, self.device), w, self.way)
            for w in (self._start, aside)
            for chunk in self.terms.chunks()
        )

    def __repr__(self) -> str:
        return f"Objective(size={self.size}, dtype={self.dtype}, device={str(self.device)!r}, way={self.way})"

    def _checked(self, w: Tensor) -> Tensor:
        if w.shape != (self.size,) or w.dtype != self.dtype or w.device != self.device:
            raise ObjectiveError(
                f"a point of shape {tuple(w.shape)}, {w.dtype}, {w.device}",
                f"this objective lives on ({self.size},), {self.dtype}, {self.device}",
                "Type objective.start.clone() for a point that fits",
            )
        return w


def _agrees(terms: Terms, w: Parameters, way: Way) -> bool:
    at, plain = Point(terms, w, way, separate_gradient=False), plain_gradient(terms, w)
    return torch.equal(at.value, plain.value) and torch.equal(at.gradient, plain.gradient)
