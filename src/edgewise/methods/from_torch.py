"""Optimisers of PyTorch, read into methods: their settings, and the state they are in."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from edgewise.foundation import SettingError
from edgewise.methods.method import AnyMethod
from edgewise.methods.param_groups import kind_of, listed, method_of, on_tensors, state_of, steps_taken
from edgewise.methods.wrappers import ParameterGroups, ParameterGroupsState


def from_torch(optimizer: Optimizer, parameters: Iterable[Tensor] | None = None) -> AnyMethod:
    """The method that an optimiser of PyTorch is, with the step size that it has now.

    Several param groups become `ParameterGroups`, in the order of w. A scheduler that is attached is not seen:
    give its `Schedule` to the method. Mini-batches are the caller's: the method takes the full gradient.

    Args:
        optimizer: a `torch.optim` SGD, Adam, AdamW, NAdam, RMSprop, Adagrad or Muon, or of a class derived from
            one that leaves its `step` as it is.
        parameters: the tensors in the order in which w has them; None takes the order of the optimiser.

    Raises:
        SettingError: if no method here does what the optimiser does, or the parameters are not those
            of the optimiser.

    Example:
        >>> layer = torch.nn.Linear(3, 2)
        >>> from_torch(torch.optim.Adam(layer.parameters(), lr=0.01))
        Adam(lr=0.01, betas=(0.9, 0.999), eps=1e-08)
    """
    pieces = _pieces(optimizer, parameters)
    methods = tuple(method for method, _ in pieces)
    if len(methods) == 1:
        return methods[0]
    return ParameterGroups(methods, tuple(sum(tensor.numel() for tensor in tensors) for _, tensors in pieces))


def state_from_torch(optimizer: Optimizer, parameters: Iterable[Tensor] | None = None) -> Any:
    """The state of `from_torch(optimizer, parameters)` in which the optimiser is: the next steps are the same.

    SGD and Muon do not count their steps: theirs start at zero. For parameters that have not all taken the same
    steps there is no such state; where the optimiser loses stability `line_from_torch` still tells.

    Args:
        optimizer: as for `from_torch`.
        parameters: likewise.

    Raises:
        SettingError: as `from_torch`; or if some parameters have taken steps that others have not.
    """
    states = tuple(_state(method, optimizer, tensors) for method, tensors in _pieces(optimizer, parameters))
    return states[0] if len(states) == 1 else ParameterGroupsState(step=states[0].step, groups=states)


def _pieces(optimizer: Optimizer, parameters: Iterable[Tensor] | None) -> list[tuple[AnyMethod, list[Tensor]]]:
    """Runs of neighbouring tensors with the same settings, in the order of w, and the method of each."""
    kind, methods = kind_of(optimizer), {}
    for group in optimizer.param_groups:
        method = method_of(kind, group)
        methods.update({id(tensor): method for tensor in group["params"] if tensor.requires_grad})
    own = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    tensors = own if parameters is None else listed(parameters)
    if {id(tensor) for tensor in tensors} != methods.keys() or len(tensors) != len(methods):
        raise SettingError(
            f"{len(tensors)} parameters for an optimiser of {len(methods)}",
            "the method has to move all of them, and nothing else",
            "Give the trainable parameters that the optimiser has, each once, in the order of w",
        )
    pieces: list[tuple[AnyMethod, list[Tensor]]] = []
    for tensor in tensors:
        method = methods[id(tensor)]
        if pieces and pieces[-1][0] == method:
            pieces[-1][1].append(tensor)
        else:
            pieces.append((method, [tensor]))
    return [(on_tensors(method, run), run) for method, run in pieces]


def _state(method: AnyMethod, optimizer: Optimizer, tensors: Sequence[Tensor]) -> Any:
    """The state of the method of one run of tensors."""
    kept = [optimizer.state.get(tensor, {}) for tensor in tensors]
    taken = {steps_taken(own) for own in kept}
    if len(taken) > 1:
        raise SettingError(
            "an optimiser some of whose parameters have taken steps that others have not",
            "the state of a method has one step number for all",
            "Give all parameters a gradient at every step, or take out those that have none; "
            "line_from_torch(optimizer) needs neither",
        )
    if taken == {0}:
        return method.init(torch.cat([tensor.detach().reshape(-1) for tensor in tensors]))
    return state_of(method, kept)
