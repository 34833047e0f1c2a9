"""Param groups of `torch.optim`: which method a group is, and in which state the tensors of it are."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from edgewise.foundation import SettingError
from edgewise.methods.adaptive import (
    Adagrad,
    AdagradState,
    Adam,
    AdamState,
    AdamW,
    NAdam,
    NAdamState,
    RMSProp,
    RMSPropState,
)
from edgewise.methods.descent import SGD, SGDState
from edgewise.methods.method import AnyMethod
from edgewise.methods.orthogonal import Muon, MuonState
from edgewise.methods.wrappers import DecoupledWeightDecay, WeightDecay

Group = Mapping[str, Any]
"""A param group: settings by name."""
Kept = Mapping[str, Any]
"""What an optimiser keeps for one tensor, by name; empty before its first step."""

# What no method here does. `foreach`, `fused`, `capturable` and `differentiable` change how a step is computed,
# not what it is.
_UNKNOWN = ("amsgrad", "centered", "maximize")


def kind_of(optimizer: Optimizer) -> type[Optimizer]:
    """The class of `torch.optim` whose step the optimiser takes: its own, or the one it is derived from.

    Raises:
        SettingError: if it takes a step of its own.
    """
    readers = _readers()
    for kind in readers:
        if isinstance(optimizer, kind) and inspect.unwrap(type(optimizer).step) is inspect.unwrap(kind.step):
            return kind
    if isinstance(getattr(optimizer, "optimizer", None), Optimizer):
        raise SettingError(
            f"an optimiser of type {type(optimizer).__name__}",
            "it is around another one, and what it makes of its steps is not known here",
            "Give the one inside, optimizer.optimizer, if every step is passed on to it as it is",
        )
    raise SettingError(
        f"an optimiser of type {type(optimizer).__name__}",
        "no method here does what it does",
        f"Give one of {', '.join(known.__name__ for known in readers)} from torch.optim",
    )


def method_of(kind: type[Optimizer], group: Group) -> AnyMethod:
    """The method that one param group of such an optimiser is.

    Raises:
        SettingError: if no method here does what its settings say.
    """
    for name in _UNKNOWN:
        _require(group, name, False)
    return _readers()[kind](group)


def on_tensors(method: AnyMethod, tensors: Sequence[Tensor]) -> AnyMethod:
    """The same method for tensors of these shapes."""
    if not isinstance(method, Muon):
        return method
    return replace(method, shapes=tuple(tuple(tensor.shape) for tensor in tensors))


def listed(parameters: Any) -> list[Tensor]:
    """The tensors in a list, if it is one.

    Raises:
        SettingError: if what was given cannot be gone through.
    """
    if not isinstance(parameters, Iterable):
        raise SettingError(
            f"parameters of type {type(parameters).__name__}",
            "they are tensors, one after the other",
            "Type from_torch(optimizer, model.parameters())",
        )
    return list(parameters)


def steps_taken(kept: Kept) -> int:
    """How many steps a tensor has taken, as far as its state tells: of a momentum without a count, one."""
    if "step" in kept:
        return int(kept["step"])
    return int(kept.get("momentum_buffer") is not None)


def undecayed(method: AnyMethod) -> AnyMethod:
    """The method inside of weight decay."""
    return method.method if isinstance(method, WeightDecay | DecoupledWeightDecay) else method


def state_of(method: AnyMethod, kept: Sequence[Kept]) -> Any:
    """The state of a method whose tensors have all taken the same number of steps, at least one."""
    step = int(kept[0].get("step", 0))
    match undecayed(method):
        case SGD():
            return SGDState(step=0, velocity=joined(kept, "momentum_buffer"))
        case Muon():
            return MuonState(step=0, average=joined(kept, "momentum_buffer"))
        case RMSProp():
            return RMSPropState(step=step, square_average=joined(kept, "square_avg"))
        case Adagrad():
            return AdagradState(step=step, square_sum=joined(kept, "sum"))
        case NAdam():
            product = kept[0]["mu_product"].detach().cpu().clone()
            return NAdamState(step, joined(kept, "exp_avg"), joined(kept, "exp_avg_sq"), product)
        case _:
            return AdamState(step, joined(kept, "exp_avg"), joined(kept, "exp_avg_sq"))


def joined(kept: Sequence[Kept], name: str) -> Tensor:
    """What is kept under one name for several tensors, as one vector of its own."""
    return torch.cat([own[name].detach().reshape(-1) for own in kept])


def _readers() -> dict[type[Optimizer], Callable[[Group], AnyMethod]]:
    readers: dict[type[Optimizer], Callable[[Group], AnyMethod]] = {
        torch.optim.SGD: _sgd,
        torch.optim.Adam: _adam,
        torch.optim.AdamW: _adamw,
        torch.optim.NAdam: _nadam,
        torch.optim.RMSprop: _rmsprop,
        torch.optim.Adagrad: _adagrad,
    }
    if hasattr(torch.optim, "Muon"):  # since PyTorch 2.9
        readers[torch.optim.Muon] = _muon
    return readers


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


def _nadam(group: Group) -> AnyMethod:
    method = NAdam(float(group["lr"]), _betas(group), float(group["eps"]), float(group["momentum_decay"]))
    if group["weight_decay"] and group["decoupled_weight_decay"]:
        return DecoupledWeightDecay(method, float(group["weight_decay"]))
    return _coupled(method, group)


def _rmsprop(group: Group) -> AnyMethod:
    _require(group, "momentum", 0)
    return _coupled(RMSProp(float(group["lr"]), float(group["alpha"]), float(group["eps"])), group)


def _adagrad(group: Group) -> AnyMethod:
    initial = float(group["initial_accumulator_value"])
    return _coupled(Adagrad(float(group["lr"]), float(group["lr_decay"]), initial, float(group["eps"])), group)


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
