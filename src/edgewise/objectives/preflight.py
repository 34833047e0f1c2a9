"""What is checked once, when an objective is made: that L(w) is one function, evaluated twice alike.

Each cause has its own sentence; what no named check catches is caught by evaluating loss and gradient
twice. Nothing here draws from the global random state or leaves it changed.
"""

import dataclasses
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from edgewise.foundation import ObjectiveError, first_line
from edgewise.objectives.averaging import Metric, adds_up, combines, default_metrics, weight_in_metric, weight_of
from edgewise.objectives.fixed_data import Nested, samples_in, tensors_in
from edgewise.objectives.supervised import SupervisedChunk, SupervisedTerms
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
        if isinstance(layer, _BatchNorm) and not partitioned:
            if layer.training:
                raise ObjectiveError(
                    f"batch normalisation in train mode at {kind} without a fixed partition",
                    "its statistics depend on which samples share a batch",
                    "Type ghost_batch=1000 to fix the partition, or module.eval() to use the running statistics",
                )
            if layer.running_mean is None:
                raise ObjectiveError(
                    f"batch normalisation without running statistics at {kind} without a fixed partition",
                    "even in eval mode its statistics depend on which samples share a batch",
                    "Type ghost_batch=1000 to fix the partition",
                )
        if getattr(layer, "mixes_samples", False) and not partitioned:
            raise ObjectiveError(
                f"a layer that mixes samples at {kind} without a fixed partition",
                "the loss depends on which samples share a batch",
                "Type ghost_batch=1000 to fix the partition",
            )
        if isinstance(layer, nn.Embedding | nn.EmbeddingBag) and layer.max_norm is not None:
            raise ObjectiveError(
                f"max_norm={layer.max_norm} at {kind}",
                "it rescales its own weights in the forward pass, so w would change under its own evaluation",
                "Leave max_norm out",
            )


def inspect(terms: SupervisedTerms, metrics: Mapping[str, Metric] | None) -> SupervisedTerms:
    """One pass over the data: finite, of the right type, and how its chunks combine.

    Returns:
        The same terms with their weights, reduction and metrics filled in.
    """
    weight, samples, pieces = 0.0, 0, 0
    first: list[tuple[Nested, Nested]] = []
    for inputs, targets in terms.data:
        for role, nested in (("inputs", inputs), ("targets", targets)):
            _refuse_other_device(terms, nested, role)
            _refuse_non_finite(nested, role)
        pieces += 1
        samples += samples_in(inputs)
        part = weight_of(terms.criterion, targets)
        weight += part
        # Three samples that count tell a mean from a sum from anything else.
        if part and sum(samples_in(seen) for _, seen in first) < 3:
            first.append((inputs, targets))
    if samples == 0:
        raise ObjectiveError(
            "a data set with no samples",
            "a mean over nothing is not a number",
            "Check the subset you selected",
        )
    if not first:
        raise ObjectiveError(
            "targets that the criterion ignores, every one",
            "the mean over what is left is 0/0",
            "Check ignore_index and the targets",
        )
    answers = [_outputs(terms, inputs) for inputs, _ in first]
    _refuse_criterion(terms, answers[0], first[0][1])
    reduction = "sum" if adds_up(terms.criterion) else "mean"
    if pieces > 1:
        reduction = combines(terms.criterion, *_joined(answers, [targets for _, targets in first]))
    if metrics is None:
        metrics = default_metrics(terms.criterion, answers[0], first[0][1])
    return dataclasses.replace(
        terms,
        metrics=metrics,
        reduction=reduction,
        total=weight if reduction == "mean" else 1.0,
        samples=samples,
        metric_totals={
            name: sum(weight_in_metric(metric, targets) for _, targets in terms.data)
            for name, metric in metrics.items()
        },
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


def _refuse_other_device(terms: SupervisedTerms, nested: Nested, role: str) -> None:
    for tensor in tensors_in(nested):
        if tensor.device != terms.device:
            raise ObjectiveError(
                f"{role} on {tensor.device} and parameters on {terms.device}",
                "both have to be on one device",
                f"Type {role}.to('{terms.device}')",
            )


def _outputs(terms: SupervisedTerms, inputs: Nested) -> Nested:
    w = terms.start
    try:
        with torch.no_grad(), torch.random.fork_rng([w.device] if w.device.type == "cuda" else []):
            outputs: Nested = terms.outputs(w, inputs)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        wrong = next((t for t in tensors_in(inputs) if t.dtype != w.dtype and not t.is_complex()), None)
        if isinstance(error, IndexError):
            raise ObjectiveError(
                f"a {type(terms.module).__name__} that cannot take these inputs ({_kinds(inputs)})",
                f"its forward pass says: {first_line(error)}",
                "Check that every index lies below the size of its table (num_embeddings)",
            ) from error
        if wrong is None:
            raise ObjectiveError(
                f"a {type(terms.module).__name__} that cannot take these inputs ({_kinds(inputs)})",
                f"its forward pass says: {first_line(error)}",
                "Give a tensor for forward(x), a tuple for forward(*xs), or a dict for forward(**xs)",
            ) from error
        raise ObjectiveError(
            f"inputs of {wrong.dtype} for a module with parameters of {w.dtype}",
            f"the module refuses them ({first_line(error)})",
            f"Type inputs.to({w.dtype}), scaled as the module expects (images: / 255)",
        ) from error
    return outputs


def _refuse_criterion(terms: SupervisedTerms, outputs: Nested, targets: Nested) -> None:
    """Refuse a criterion that does not take the outputs and targets, or does not answer with a scalar."""
    try:
        with warnings.catch_warnings():
            # PyTorch's own losses only warn where they stretch one shape to the other.
            warnings.filterwarnings("error", message="Using a target size", category=UserWarning)
            SupervisedChunk(terms, (), targets, 1.0).criterion(outputs)
    except ObjectiveError:
        raise
    except UserWarning as warning:
        raise ObjectiveError(
            f"outputs of shape {_shapes(outputs)} and targets of shape {_shapes(targets)}",
            "the criterion would stretch one to the other, and compare outputs with other samples' targets",
            _fitting(outputs, targets),
        ) from warning
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise ObjectiveError(
            f"a criterion that cannot compare outputs ({_kinds(outputs)}) with targets ({_kinds(targets)})",
            f"it says: {first_line(error)}",
            "Give classes as torch.int64 below the number of outputs, anything else in the dtype of the outputs",
        ) from error


def _fitting(outputs: Nested, targets: Nested) -> str:
    """What to type so that the targets have the outputs' shape."""
    answer, target = next(tensors_in(outputs)), next(tensors_in(targets))
    if answer.numel() == target.numel():
        return f"Type targets.reshape(-1, {', '.join(map(str, answer.shape[1:]))})".replace("(-1, )", "(-1)")
    if not target.is_floating_point() and answer.ndim == 2 and target.ndim == 1:
        return (
            f"Type torch.nn.functional.one_hot(targets, {answer.shape[1]}).to({answer.dtype}), "
            "or CrossEntropyLoss() for classes"
        )
    return f"Give targets of shape {_shapes(outputs)}"


def _shapes(nested: Nested) -> str:
    return ", ".join(str(tuple(tensor.shape)) for tensor in tensors_in(nested))


def _kinds(nested: Nested) -> str:
    return ", ".join(f"{str(t.dtype).removeprefix('torch.')} {tuple(t.shape)}" for t in tensors_in(nested))


def _joined(answers: list[Nested], targets: list[Nested]) -> tuple[Nested, Nested]:
    """The chunks as one, where they are tensors that fit together; else the first."""

    joined: list[Nested] = []
    for parts in (answers, targets):
        tensors = [part for part in parts if isinstance(part, Tensor) and part.ndim > 0]
        if len(tensors) < len(parts) or len({tensor.shape[1:] for tensor in tensors}) > 1:
            return answers[0], targets[0]
        joined.append(torch.cat(tensors))
    return joined[0], joined[1]
