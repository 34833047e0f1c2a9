"""What is checked once, when an objective is made: that L(w) is one function, evaluated twice alike.

Each cause has its own sentence; what no named check catches is caught by evaluating loss and gradient
twice. Nothing here draws from the global random state or leaves it changed.
"""

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from edgewise.foundation import ObjectiveError
from edgewise.objectives.averaging import Metric, combines, default_metrics, weight_of
from edgewise.objectives.fixed_data import Nested, samples_in, tensors_in
from edgewise.objectives.supervised import SupervisedTerms
from edgewise.objectives.terms import Terms
from edgewise.objectives.ways import Evaluation, plain_gradient


def refuse_random_layers(module: nn.Module, *, partitioned: bool) -> None:
    """Refuse layers that make L(w) random, or dependent on how the data are cut.

    Args:
        module: the module in the mode in which it will be evaluated.
        partitioned: whether a fixed partition into ghost batches was given.
    """
    for name, layer in module.named_modules():
        kind = f"{name or 'the module'} ({type(layer).__name__})"
        drops = isinstance(layer, _DropoutNd) and layer.p > 0
        drops = drops or (isinstance(layer, nn.RNNBase) and layer.dropout > 0)
        drops = drops or (isinstance(layer, nn.MultiheadAttention) and layer.dropout > 0)
        if drops and layer.training:
            raise ObjectiveError(
                f"dropout in train mode at {kind}",
                "every evaluation draws another mask, so L(w) is not one function",
                "Type module.eval() before making the objective, or set p=0",
            )
        if isinstance(layer, _BatchNorm) and layer.training and not partitioned:
            raise ObjectiveError(
                f"batch normalisation in train mode at {kind} without a fixed partition",
                "its statistics depend on which samples share a batch",
                "Type ghost_batch=1000 to fix the partition, or module.eval() to use the running statistics",
            )


def inspect(terms: SupervisedTerms, metrics: Mapping[str, Metric] | None) -> SupervisedTerms:
    """One pass over the data: finite, of the right type, and how its chunks combine.

    Returns:
        The same terms with their weights, reduction and metrics filled in.
    """
    weight, samples, pieces = 0.0, 0, 0
    reduction, found = "mean", metrics
    first: tuple[Nested, Nested] | None = None
    for inputs, targets in terms.data:
        pieces += 1
        samples += samples_in(inputs)
        weight += weight_of(terms.criterion, targets)
        _refuse_non_finite(inputs, "inputs")
        _refuse_non_finite(targets, "targets")
        first = first or (inputs, targets)
    if first is None or samples == 0:
        raise ObjectiveError(
            "a data set with no samples",
            "a mean over nothing is not a number",
            "Check the subset you selected",
        )
    outputs = _first_outputs(terms, first[0])
    if found is None:
        found = default_metrics(outputs, first[1])
    next(iter(terms.chunks())).criterion(outputs)  # a criterion that returns a vector is refused here
    if pieces > 1:
        reduction = combines(terms.criterion, outputs, first[1])
    elif getattr(terms.criterion, "reduction", "mean") == "sum":
        reduction = "sum"
    if reduction == "mean" and weight == 0.0:
        raise ObjectiveError(
            "targets that the criterion ignores, every one",
            "the mean over what is left is 0/0",
            "Check ignore_index and the targets",
        )
    return dataclasses.replace(
        terms,
        metrics=found,
        reduction=reduction,
        total=weight if reduction == "mean" else 1.0,
        samples=samples,
    )


def evaluate_twice(terms: Terms, w: Tensor) -> Evaluation:
    """Evaluate loss and gradient twice; refuse a difference beyond rounding, and a value that is not finite."""
    devices = [w.device] if w.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        first, second = plain_gradient(terms, w), plain_gradient(terms, w)
    if not torch.isfinite(first.value):
        raise ObjectiveError(
            f"a loss of {float(first.value)} at the start",
            "nothing can be measured from there",
            "Check the initialisation and the scale of the data",
        )
    if not bool(torch.isfinite(first.gradient).all()):
        raise ObjectiveError(
            "a gradient with entries that are not finite at the start",
            "nothing can be measured from there",
            "Check for square roots, norms or logarithms at zero in the module and the criterion",
        )
    tolerance = torch.finfo(w.dtype).eps ** 0.75
    loss_change = float((first.value - second.value).abs())
    change = float((first.gradient - second.gradient).norm())
    if loss_change > tolerance * float(first.value.abs()) or change > tolerance * float(first.gradient.norm()):
        raise ObjectiveError(
            f"an objective whose loss is {float(first.value):.9g} at first and {float(second.value):.9g} "
            f"when evaluated again at the same parameters (gradients differ by {change:.2g})",
            "something in it draws random numbers or remembers the last call",
            "Look for F.dropout(training=True), noise, random augmentation or a data set that changes",
        )
    return first


def _refuse_non_finite(nested: Nested, role: str) -> None:
    for tensor in tensors_in(nested):
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            bad = int((~torch.isfinite(tensor)).sum())
            raise ObjectiveError(
                f"{role} with {bad} entries that are not finite",
                "one NaN or infinity makes the whole loss NaN",
                f"Remove those samples, or type torch.nan_to_num({role})",
            )


def _first_outputs(terms: SupervisedTerms, inputs: Nested) -> Nested:
    w = terms.start
    for tensor in tensors_in(inputs):
        if tensor.device != w.device:
            raise ObjectiveError(
                f"inputs on {tensor.device} and parameters on {w.device}",
                "both have to be on one device",
                f"Type inputs.to('{w.device}')",
            )
    try:
        with torch.no_grad(), torch.random.fork_rng([w.device] if w.device.type == "cuda" else []):
            outputs: Nested = terms.outputs(w, inputs)
    except (RuntimeError, TypeError, ValueError) as error:
        wrong = next((t for t in tensors_in(inputs) if t.dtype != w.dtype and not t.is_complex()), None)
        if wrong is None:
            raise ObjectiveError(
                f"a {type(terms.module).__name__} that cannot take these inputs",
                f"its forward pass says: {str(error).splitlines()[0]}",
                "Give a tensor for forward(x), a tuple for forward(*xs), or a dict for forward(**xs)",
            ) from error
        raise ObjectiveError(
            f"inputs of {wrong.dtype} for a module with parameters of {w.dtype}",
            f"the module refuses them ({str(error).splitlines()[0]})",
            f"Type inputs.to({w.dtype}), scaled as the module expects (images: / 255)",
        ) from error
    return outputs
