"""The self-check: is every derivative of this objective right, and if not, which layer is wrong?

PyTorch has layers whose values and gradients are right while their second or third derivatives are not, and
a layer written by hand may have any mistake. The whole objective is compared with finite differences in
float64; when something fails, every module is tried alone, the innermost first, on the inputs that it meets:

    z = (its inputs, its parameters) ↦ ⟨c, layer(z)⟩,     c random

and the first one that fails is named.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.func import functional_call

from edgewise.foundation import EdgewiseError, Parameters, ParameterSpace, generator
from edgewise.objectives.differences import DerivativeCheck, compare
from edgewise.objectives.fixed_data import map_tensors, tensors_in
from edgewise.objectives.objective import Objective
from edgewise.objectives.supervised import SupervisedTerms
from edgewise.objectives.ways import Way


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheck:
    """What the self-check found.

    Attributes:
        rows: gradient, Hessian-vector product and third-order product, in this order.
        offender: the qualified name of the first layer whose derivatives are wrong, "criterion" for the
            criterion; None if all is right, or if no part fails alone.
        kind: the type of the offender.
        between: whether the offender has layers of its own that are all right, so that the mistake lies in
            the forward code between them.
    """

    rows: tuple[DerivativeCheck, ...]
    offender: str | None = None
    kind: str | None = None
    between: bool = False

    @property
    def passed(self) -> bool:
        """Whether every derivative is within its tolerance."""
        return all(row.passed for row in self.rows)

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if self.passed:
            return "All derivatives agree with finite differences."
        wrong = " and the ".join(row.derivative for row in self.rows if not row.passed)
        if self.offender is None:
            return (
                f"The {wrong} cannot be trusted: no layer fails alone, so look at the forward code between them."
            )
        place = f"the forward code of {self.offender}" if self.between else self.offender
        return f"The {wrong} cannot be trusted: look at {place} ({self.kind})."

    def __str__(self) -> str:
        lines = [f"{'derivative':<24}{'error':>9}{'allowed':>9}  finding"]
        for row in self.rows:
            finding = "right" if row.passed else f"wrong, most in {row.worst}" if row.worst else "missing"
            lines.append(f"{row.derivative:<24}{row.error:>9.1e}{row.tolerance:>9.1e}  {finding}")
        return "\n".join([*lines, self.sentence])


def selfcheck(
    objective: Objective, w: Parameters | None = None, *, seed: int = 0, rtol: float = 1e-4
) -> SelfCheck:
    """Compare every derivative with finite differences in float64, and name the layer that is wrong.

    Args:
        objective: any objective; it is checked as a copy in float64, with its own way of differentiating.
        w: the point; None takes the start. The check is made a hundredth of its length beside it, since a
            kink exactly at w has no derivative to compare.
        seed: of the random directions.
        rtol: relative error that is allowed in each parameter tensor; differences are good to about 1e-6.

    Raises:
        ObjectiveError: if w does not fit, or a plain function cannot be converted to float64.

    Example:
        >>> from edgewise.objectives import Objective, selfcheck
        >>> selfcheck(Objective.from_function(lambda w: (w**4).sum(), size=3)).passed
        True
    """
    exact = objective.to(torch.float64)
    point = exact.start if w is None else exact.at(w.to(torch.float64), products=False).w
    space = exact.space or ParameterSpace(("w",), ((exact.size,),))
    rows = compare(exact, point, space, seed=seed, rtol=rtol)
    if all(row.passed for row in rows) or not isinstance(exact.terms, SupervisedTerms):
        return SelfCheck(rows=rows)
    for part in _parts(exact.terms, point):
        alone = part.alone(exact.way, seed)
        if alone is None:
            continue
        found = compare(alone, alone.start, part.space, seed=seed, rtol=rtol)
        if not all(row.passed for row in found):
            return SelfCheck(rows=rows, offender=part.name, kind=part.kind, between=part.between)
    return SelfCheck(rows=rows)


@final
@dataclass(frozen=True, kw_only=True)
class _Part:
    """One module, or the criterion, with the inputs that it meets.

    Attributes:
        answer: (parameters, inputs) ↦ its outputs.
        between: whether it has layers of its own.
    """

    name: str
    kind: str
    between: bool
    answer: Callable[[dict[str, Tensor], Any], Any]
    parameters: dict[str, Tensor]
    inputs: Any

    @cached_property
    def space(self) -> ParameterSpace:
        """Names and shapes of z: its inputs, then its parameters."""
        inputs = [t for t in tensors_in(self.inputs) if _varies(t)]
        variables = {**{f"input {i}": t for i, t in enumerate(inputs)}, **self.parameters}
        return ParameterSpace(tuple(variables), tuple(tuple(t.shape) for t in variables.values()))

    def alone(self, way: Way, seed: int) -> Objective | None:
        """z ↦ ⟨c, its outputs⟩ for a random c; None where it cannot be called like that."""
        if self.space.size == 0:
            return None
        inputs = [t for t in tensors_in(self.inputs) if _varies(t)]
        start = torch.cat([t.detach().reshape(-1) for t in (*inputs, *self.parameters.values())])
        random = generator(seed, "selfcheck", self.name)

        def answers(z: Tensor) -> list[Tensor]:
            pieces = self.space.unflatten(z)
            parameters = {name: pieces.pop(name) for name in self.parameters}
            # Copies, since a layer may work in place.
            rest = (piece.clone() for piece in pieces.values())
            given = map_tensors(lambda t: next(rest) if _varies(t) else t, self.inputs)
            return [t for t in tensors_in(self.answer(parameters, given)) if _varies(t)]

        def weighted(z: Tensor) -> Tensor:
            return torch.stack([(c * t).sum() for c, t in zip(weights, answers(z), strict=True)]).sum()

        try:
            with torch.no_grad():
                weights = [torch.randn(t.shape, generator=random, dtype=t.dtype).to(t) for t in answers(start)]
            return Objective.from_function(weighted, self.space.size, start=start, device=start.device, way=way)
        except (EdgewiseError, RuntimeError, TypeError, ValueError, AttributeError):
            return None


def _varies(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.numel() > 0


def _parts(terms: SupervisedTerms, w: Parameters) -> Iterator[_Part]:
    """What can be tried alone: the modules from the inside out, then the criterion."""
    module = copy.deepcopy(terms.module)
    with torch.no_grad():
        for name, tensor in terms.space.unflatten(w).items():
            module.get_parameter(name).copy_(tensor)
    chunk = next(chunk for chunk in dataclasses.replace(terms, module=module).chunks() if chunk.share)
    calls: dict[nn.Module, Any] = {}

    def record(layer: nn.Module, args: Any, kwargs: Any) -> None:
        calls.setdefault(layer, map_tensors(lambda t: t.detach().clone(), (args, kwargs)))

    for layer in module.modules():
        layer.register_forward_pre_hook(record, with_kwargs=True)
    # With gradients on, since some modules take a shortcut past their layers without.
    with torch.enable_grad():
        outputs = map_tensors(Tensor.detach, chunk.outputs(w.detach().clone().requires_grad_()))
    inputs = dict(calls)
    for name, layer in _inside_out(module):
        between = any(inner in inputs for inner in layer.modules() if inner is not layer)
        if layer in inputs and (name or not between):
            yield _Part(
                name=name or "the module itself",
                kind=type(layer).__name__,
                between=between,
                answer=partial(_call, layer),
                parameters={n: p for n, p in layer.named_parameters() if _varies(p)},
                inputs=inputs[layer],
            )
    yield _Part(
        name="criterion",
        kind=getattr(terms.criterion, "__name__", type(terms.criterion).__name__),
        between=False,
        answer=lambda _, given: terms.criterion(given, chunk.targets),
        parameters={},
        inputs=outputs,
    )


def _call(layer: nn.Module, parameters: dict[str, Tensor], given: tuple[Any, Any]) -> Any:
    buffers = {name: buffer.clone() for name, buffer in layer.named_buffers()}
    return functional_call(layer, {**buffers, **parameters}, *given)


def _inside_out(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        yield from _inside_out(child, f"{path}.{name}" if path else name)
    yield path, module
