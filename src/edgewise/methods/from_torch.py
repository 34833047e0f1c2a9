"""Optimisers of PyTorch, read into methods: their settings, and the state they are in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from edgewise.foundation import SettingError
from edgewise.methods.adaptive import Adam, AdamState, AdamW, RMSProp, RMSPropState
from edgewise.methods.descent import SGD, SGDState
from edgewise.methods.method import AnyMethod
from edgewise.methods.orthogonal import Muon, MuonState
from edgewise.methods.wrappers import ParameterGroups, ParameterGroupsState, WeightDecay

Group = Mapping[str, Any]
"""A param group: settings by name."""

# What no method here does. `foreach`, `fused` and `capturable` change how the same step is computed.
_UNKNOWN = ("amsgrad", "centered", "differentiable", "maximize")


def from_torch(optimizer: Optimizer, parameters: Iterable[Tensor] | None = None) -> AnyMethod:
    """The method that an optimiser of PyTorch is, with the step size that it has now.

    Several param groups become `ParameterGroups`, in the order of w. A scheduler that is attached is not seen:
    give its `Schedule` to the method. Mini-batches are the caller's: the method takes the full gradient.

    Args:
        optimizer: a `torch.optim` SGD, Adam, AdamW, RMSprop or Muon.
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

    SGD and Muon do not count their steps: theirs start at zero.

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
    read = _readers().get(type(optimizer))
    if read is None:
        raise SettingError(
            f"an optimiser of type {type(optimizer).__name__}",
            "no method here does what it does",
            f"Give one of {', '.join(known.__name__ for known in _readers())} from torch.optim",
        )
    methods = {}
    for group in optimizer.param_groups:
        method = _refusing(read)(group)
        methods.update({id(tensor): method for tensor in group["params"] if tensor.requires_grad})
    own = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    tensors = own if parameters is None else _listed(parameters)
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
    return [(_with_shapes(method, run), run) for method, run in pieces]


def _listed(parameters: Any) -> list[Tensor]:
    if not isinstance(parameters, Iterable):
        raise SettingError(
            f"parameters of type {type(parameters).__name__}",
            "they are tensors, one after the other",
            "Type from_torch(optimizer, model.parameters())",
        )
    return list(parameters)


def _readers() -> dict[type[Optimizer], Callable[[Group], AnyMethod]]:
    readers: dict[type[Optimizer], Callable[[Group], AnyMethod]] = {
        torch.optim.SGD: _sgd,
        torch.optim.Adam: _adam,
        torch.optim.AdamW: _adamw,
        torch.optim.RMSprop: _rmsprop,
    }
    if hasattr(torch.optim, "Muon"):  # since PyTorch 2.9
        readers[torch.optim.Muon] = _muon
    return readers


def _refusing(read: Callable[[Group], AnyMethod]) -> Callable[[Group], AnyMethod]:
    """Refuse what no method here does, then read the group."""

    def checked(group: Group) -> AnyMethod:
        for name in _UNKNOWN:
            _require(group, name, False)
        return read(group)

    return checked


def _require(group: Group, name: str, value: Any) -> None:
    if group.get(name, value) != value:
        raise SettingError(
            f"an optimiser with {name}={group[name]}",
            "no method here does that",
            f"Make the optimiser with {name}={value}",
        )


def _sgd(group: Group) -> AnyMethod:
    return SGD(
        float(group["lr"]),
        None,
        momentum=float(group["momentum"]),
        dampening=float(group["dampening"]),
        nesterov=bool(group["nesterov"]),
        weight_decay=float(group["weight_decay"]),
    )


def _adam(group: Group) -> AnyMethod:
    if group.get("decoupled_weight_decay", False):
        return _adamw(group)
    return _coupled(Adam(float(group["lr"]), _betas(group), float(group["eps"])), group)


def _adamw(group: Group) -> AnyMethod:
    return AdamW(float(group["lr"]), _betas(group), float(group["eps"]), float(group["weight_decay"]))


def _rmsprop(group: Group) -> AnyMethod:
    _require(group, "momentum", 0)
    return _coupled(RMSProp(float(group["lr"]), float(group["alpha"]), float(group["eps"])), group)


def _muon(group: Group) -> AnyMethod:
    _require(group, "ns_coefficients", (3.4445, -4.7750, 2.0315))
    _require(group, "eps", 1e-7)
    return Muon(
        float(group["lr"]),
        float(group["momentum"]),
        bool(group["nesterov"]),
        int(group["ns_steps"]),
        weight_decay=float(group["weight_decay"]),
        match_rms=group["adjust_lr_fn"] == "match_rms_adamw",
    )


def _betas(group: Group) -> tuple[float, float]:
    return float(group["betas"][0]), float(group["betas"][1])


def _coupled(method: AnyMethod, group: Group) -> AnyMethod:
    decay = float(group["weight_decay"])
    return WeightDecay(method, decay) if decay else method


def _with_shapes(method: AnyMethod, tensors: Sequence[Tensor]) -> AnyMethod:
    if not isinstance(method, Muon):
        return method
    return replace(method, shapes=tuple(tuple(tensor.shape) for tensor in tensors))


def _state(method: AnyMethod, optimizer: Optimizer, tensors: Sequence[Tensor]) -> Any:
    """The state of the method of one run of tensors."""
    kept = [optimizer.state.get(tensor, {}) for tensor in tensors]

    def joined(name: str) -> Tensor:
        return torch.cat([own[name].detach().reshape(-1) for own in kept]).clone()

    inner = method.method if isinstance(method, WeightDecay) else method
    marks = {SGD: "momentum_buffer", Muon: "momentum_buffer"}.get(type(inner), "step")
    seen = [own.get(marks) is not None for own in kept]
    steps = {int(own["step"]) for own in kept if "step" in own}
    if len({*seen}) > 1 or len(steps) > 1:
        raise SettingError(
            "an optimiser some of whose parameters have taken steps that others have not",
            "the state of a method has one step number for all",
            "Give all parameters a gradient at every step, or take out those that have none",
        )
    if not seen[0]:
        return method.init(torch.cat([tensor.detach().reshape(-1) for tensor in tensors]))
    match inner:
        case SGD():
            return SGDState(step=0, velocity=joined("momentum_buffer"))
        case Muon():
            return MuonState(step=0, average=joined("momentum_buffer"))
        case RMSProp():
            return RMSPropState(step=steps.pop(), square_average=joined("square_avg"))
        case _:
            return AdamState(step=steps.pop(), average=joined("exp_avg"), square_average=joined("exp_avg_sq"))
