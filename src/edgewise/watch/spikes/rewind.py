"""The weights before an optimiser's last update, and before the one before, from what its state remembers.

An update can be taken back without a copy of the weights: SGD with momentum and Adam keep the average that they
moved by, and with the last gradient that average, too, can be taken back by a step.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

State = dict[str, Any]

_ROUNDING = 1e-3


def rewind(
    optimizer: Optimizer, parameters: Sequence[Tensor], *, lr_before: float | None = None
) -> tuple[list[Tensor] | None, list[Tensor] | None]:
    """w_t and w_{t-1} after the step w_t → w_{t+1}, up to rounding.

    For SGD with momentum w_t = w_{t+1} + η b_t and b_{t-1} = (b_t − (1 − damping) g_t)/μ; for Adam likewise with
    m̂/(√ν̂ + ε), m_{t-1} = (m_t − (1 − β1) g_t)/β1 and ν_{t-1} = (ν_t − (1 − β2) g_t²)/β2.

    Args:
        optimizer: a `torch.optim` SGD, Adam or AdamW, right after its step.
        parameters: what it trains, with the gradients it was given.
        lr_before: the step size that the first param group had one step earlier; None takes the present one.

    Returns:
        None for what cannot be taken back: other optimisers, gradients that are gone, and the second one back of
        SGD without momentum or with Nesterov's, which needs a gradient that nobody keeps.
    """
    groups = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
    if type(optimizer) not in _BACK or any(id(parameter) not in groups for parameter in parameters):
        return None, None
    back = _BACK[type(optimizer)]
    first = float(optimizer.param_groups[0]["lr"])
    scale = 1.0 if lr_before is None or first == 0 else lr_before / first
    new: list[Tensor | None] = []
    old: list[Tensor | None] = []
    with torch.no_grad():
        for parameter in parameters:
            group, state = groups[id(parameter)], dict(optimizer.state.get(parameter, {}))
            # All zeros are what zero_grad(set_to_none=False) leaves.
            given = parameter.grad is not None and bool(parameter.grad.any())
            gradient = parameter.grad.double() if given and parameter.grad is not None else None
            w = back(parameter.double(), gradient, state, group, float(group["lr"]))
            earlier = None if w is None or gradient is None else _STATE[type(optimizer)](w, gradient, state, group)
            before = None if w is None or earlier is None else back(w, None, earlier, group, scale * group["lr"])
            new.append(None if w is None else w.to(parameter.dtype))
            old.append(None if before is None else before.to(parameter.dtype))
    return _all(new), _all(old)


def _all(tensors: Sequence[Tensor | None]) -> list[Tensor] | None:
    known = [tensor for tensor in tensors if tensor is not None and bool(torch.isfinite(tensor).all())]
    return known if len(known) == len(tensors) else None


def _sgd_back(w: Tensor, g: Tensor | None, state: State, group: Mapping[str, Any], lr: float) -> Tensor | None:
    mu, decay = group["momentum"], group["weight_decay"]
    b = state.get("momentum_buffer") if mu else None
    if group["maximize"] or (mu and b is None):
        return None
    if b is not None and not group["nesterov"]:
        return w + lr * b.double()
    if g is None:
        return None
    step = g if b is None else g + mu * b.double()
    return (w + lr * step) / (1 - lr * decay)


def _sgd_state(w: Tensor, g: Tensor, state: State, group: Mapping[str, Any]) -> State | None:
    mu = group["momentum"]
    if not mu:
        return None
    b = (state["momentum_buffer"].double() - (1 - group["dampening"]) * (g + group["weight_decay"] * w)) / mu
    return {"momentum_buffer": b}


def _adam_back(w: Tensor, g: Tensor | None, state: State, group: Mapping[str, Any], lr: float) -> Tensor | None:
    if group["maximize"] or group["amsgrad"] or int(state.get("step", 0)) < 1:
        return None
    beta1, beta2, step = float(group["betas"][0]), float(group["betas"][1]), int(state["step"])
    m, v = state["exp_avg"].double() / (1 - beta1**step), state["exp_avg_sq"].double() / (1 - beta2**step)
    shrunk = lr * group["weight_decay"] if _decoupled(group) else 0.0
    return (w + lr * m / (v.clamp(min=0).sqrt() + group["eps"])) / (1 - shrunk)


def _adam_state(w: Tensor, g: Tensor, state: State, group: Mapping[str, Any]) -> State | None:
    beta1, beta2 = float(group["betas"][0]), float(group["betas"][1])
    if beta1 == 0 or beta2 == 0:
        return None
    g = g if _decoupled(group) else g + group["weight_decay"] * w
    v = state["exp_avg_sq"].double()
    before = (v - (1 - beta2) * g**2) / beta2
    # Squares below zero, beyond the rounding of the state: the optimiser was given other gradients than these,
    # as a fused one is that unscales them itself.
    if bool((before < -_ROUNDING * v).any()):
        return None
    m = (state["exp_avg"].double() - (1 - beta1) * g) / beta1
    return {"step": int(state["step"]) - 1, "exp_avg": m, "exp_avg_sq": before}


def _decoupled(group: Mapping[str, Any]) -> bool:
    return bool(group.get("decoupled_weight_decay", False))


_BACK = {torch.optim.SGD: _sgd_back, torch.optim.Adam: _adam_back, torch.optim.AdamW: _adam_back}
_STATE = {torch.optim.SGD: _sgd_state, torch.optim.Adam: _adam_state, torch.optim.AdamW: _adam_state}
