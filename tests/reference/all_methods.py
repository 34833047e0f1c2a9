"""One case of every method there is, and what of it can be tested: the laws of all methods are tried on them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from edgewise.methods import (
    SAM,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AtEdgeRatio,
    AveragedMomentum,
    DecoupledWeightDecay,
    FrozenAdam,
    GradientDescent,
    HeavyBall,
    Method,
    Muon,
    NAdam,
    Nesterov,
    NormalizedGD,
    ParameterGroups,
    Projected,
    RMSProp,
    ScalarRMSProp,
    ScheduleFree,
    SqrtLossGD,
    WeightDecay,
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A method, as a function of its step size.

    Attributes:
        make: η or a schedule ↦ the method.
        linear: whether its update of a quadratic is one linear map from some step on: then its companion matrix
            must describe it to rounding. It is not where the step depends on the gradient's size.
        samples: whether it needs samples to draw from, which a plain function does not have.
        decays: whether parameters shrink where there is no gradient.
        scheduled: whether its step size may be a schedule.
        torch: the optimiser of PyTorch that it equals, for one tensor and η.
        rtol: how closely, relative to the largest parameter; zero is bit for bit.
    """

    make: Callable[[Any], Method[Any]]
    linear: bool = True
    samples: bool = False
    decays: bool = False
    scheduled: bool = True
    torch: Callable[[list[Tensor], float], Optimizer] | None = None
    rtol: float = 0.0


def sgd(**settings: Any) -> Callable[[list[Tensor], float], Optimizer]:
    """`torch.optim.SGD` with these settings."""
    return lambda tensors, lr: torch.optim.SGD(tensors, lr=lr, **settings)


CASES: dict[str, Case] = {
    "gradient descent": Case(make=GradientDescent, torch=sgd()),
    "heavy ball": Case(make=lambda lr: HeavyBall(lr, 0.9), torch=sgd(momentum=0.9)),
    "nesterov": Case(make=lambda lr: Nesterov(lr, 0.9), torch=sgd(momentum=0.9, nesterov=True)),
    "averaged momentum": Case(make=lambda lr: AveragedMomentum(lr, 0.9)),
    "normalized": Case(make=NormalizedGD, linear=False),
    "root of the loss": Case(make=SqrtLossGD, linear=False),
    "sam": Case(make=lambda lr: SAM(lr, 0.05), linear=False),
    "sgd, full batch": Case(make=lambda lr: SGD(lr, None), torch=sgd()),
    "sgd, everything": Case(
        decays=True,
        make=lambda lr: SGD(lr, None, momentum=0.8, dampening=0.3, weight_decay=0.2),
        torch=sgd(momentum=0.8, dampening=0.3, weight_decay=0.2),
    ),
    "sgd, batches": Case(decays=True, make=lambda lr: SGD(lr, 5, momentum=0.5, weight_decay=0.1), samples=True),
    "sgd, batches with replacement": Case(make=lambda lr: SGD(lr, 5, replacement=True), samples=True),
    "sgd, nesterov": Case(
        decays=True,
        make=lambda lr: SGD(lr, None, momentum=0.8, nesterov=True, weight_decay=0.2),
        torch=sgd(momentum=0.8, nesterov=True, weight_decay=0.2),
    ),
    "sgd, dampening without momentum": Case(
        make=lambda lr: SGD(lr, None, dampening=0.3), torch=sgd(dampening=0.3)
    ),
    "decay of gradient descent": Case(
        decays=True, make=lambda lr: WeightDecay(GradientDescent(lr), 0.3), torch=sgd(weight_decay=0.3)
    ),
    "decay of heavy ball": Case(
        decays=True,
        make=lambda lr: WeightDecay(HeavyBall(lr, 0.9), 0.3),
        torch=sgd(momentum=0.9, weight_decay=0.3),
    ),
    "decay of nesterov": Case(
        decays=True,
        make=lambda lr: WeightDecay(Nesterov(lr, 0.9), 0.3),
        torch=sgd(momentum=0.9, nesterov=True, weight_decay=0.3),
    ),
    "decoupled decay of gradient descent": Case(
        decays=True, make=lambda lr: DecoupledWeightDecay(GradientDescent(lr), 0.3)
    ),
    "decoupled decay of heavy ball": Case(
        decays=True, make=lambda lr: DecoupledWeightDecay(HeavyBall(lr, 0.9), 0.3)
    ),
    "decoupled decay of nesterov": Case(decays=True, make=lambda lr: DecoupledWeightDecay(Nesterov(lr, 0.9), 0.3)),
    "decoupled decay of averaged momentum": Case(
        decays=True, make=lambda lr: DecoupledWeightDecay(AveragedMomentum(lr, 0.9), 0.3)
    ),
    "decoupled decay of sgd": Case(
        decays=True, make=lambda lr: DecoupledWeightDecay(SGD(lr, None, momentum=0.5), 0.3)
    ),
    "decoupled decay of sam": Case(
        decays=True, make=lambda lr: DecoupledWeightDecay(SAM(lr, 0.05), 0.3), linear=False
    ),
    "decoupled decay of normalized": Case(
        decays=True, make=lambda lr: DecoupledWeightDecay(NormalizedGD(lr), 0.3), linear=False
    ),
    "at an edge ratio": Case(
        make=lambda lr: AtEdgeRatio(HeavyBall(lr, 0.5), 0.8, every=3), linear=False, scheduled=False
    ),
    "dominant part of heavy ball": Case(make=lambda lr: Projected(HeavyBall(lr, 0.5), 2, every=3), linear=False),
    "bulk part of gradient descent": Case(
        make=lambda lr: Projected(GradientDescent(lr), 2, part="bulk"), linear=False
    ),
    "rmsprop": Case(
        make=RMSProp, linear=False, torch=lambda tensors, lr: torch.optim.RMSprop(tensors, lr=lr, alpha=0.99)
    ),
    "scalar rmsprop": Case(make=ScalarRMSProp, linear=False),
    "adam": Case(make=Adam, linear=False, torch=lambda tensors, lr: torch.optim.Adam(tensors, lr=lr)),
    "adamw": Case(
        make=lambda lr: AdamW(lr, weight_decay=0.3),
        linear=False,
        decays=True,
        torch=lambda tensors, lr: torch.optim.AdamW(tensors, lr=lr, weight_decay=0.3),
    ),
    "decay of adam": Case(
        make=lambda lr: WeightDecay(Adam(lr), 0.3),
        linear=False,
        decays=True,
        torch=lambda tensors, lr: torch.optim.Adam(tensors, lr=lr, weight_decay=0.3),
    ),
    "decoupled decay of rmsprop": Case(
        make=lambda lr: DecoupledWeightDecay(RMSProp(lr), 0.3), linear=False, decays=True
    ),
    "nadam": Case(make=NAdam, linear=False, torch=lambda tensors, lr: torch.optim.NAdam(tensors, lr=lr)),
    "decoupled decay of nadam": Case(
        make=lambda lr: DecoupledWeightDecay(NAdam(lr, (0.8, 0.99), momentum_decay=0.1), 0.3),
        linear=False,
        decays=True,
        torch=lambda tensors, lr: torch.optim.NAdam(
            tensors, lr=lr, betas=(0.8, 0.99), momentum_decay=0.1, weight_decay=0.3, decoupled_weight_decay=True
        ),
    ),
    "decay of nadam": Case(
        make=lambda lr: WeightDecay(NAdam(lr, momentum_decay=0.0), 0.3),
        linear=False,
        decays=True,
        torch=lambda tensors, lr: torch.optim.NAdam(tensors, lr=lr, momentum_decay=0.0, weight_decay=0.3),
    ),
    "adagrad": Case(make=Adagrad, linear=False, torch=lambda tensors, lr: torch.optim.Adagrad(tensors, lr=lr)),
    "decay of adagrad, everything": Case(
        make=lambda lr: WeightDecay(Adagrad(lr, 0.01, 0.1, 1e-6), 0.3),
        linear=False,
        decays=True,
        torch=lambda tensors, lr: torch.optim.Adagrad(
            tensors, lr=lr, lr_decay=0.01, initial_accumulator_value=0.1, eps=1e-6, weight_decay=0.3
        ),
    ),
    "frozen adam": Case(make=lambda lr: FrozenAdam(lr, freeze_at=2), linear=False),
    "muon": Case(make=Muon, linear=False),
    "muon, everything": Case(
        make=lambda lr: Muon(lr, 0.8, False, 3, weight_decay=0.3, match_rms=True, precision=None),
        linear=False,
        decays=True,
    ),
    "schedule-free": Case(make=ScheduleFree, linear=False),
    "decay of schedule-free": Case(make=lambda lr: WeightDecay(ScheduleFree(lr), 0.3), linear=False, decays=True),
    "parameter groups": Case(
        make=lambda lr: ParameterGroups((HeavyBall(lr, 0.5), SGD(lr, None, momentum=0.5)), sizes=(24, 44)),
        linear=False,
    ),
    "parameter groups of adam": Case(
        make=lambda lr: ParameterGroups((Adam(lr), Adam(lr, eps=1e-6)), sizes=(32, 36)), linear=False
    ),
    "parameter groups of nadam": Case(
        make=lambda lr: ParameterGroups((NAdam(lr), NAdam(lr, eps=1e-6)), sizes=(32, 36)), linear=False
    ),
    "parameter groups of adagrad and rmsprop": Case(
        make=lambda lr: ParameterGroups((Adagrad(lr), RMSProp(lr)), sizes=(32, 36)), linear=False
    ),
    "parameter groups of rmsprop, one with decay": Case(
        make=lambda lr: ParameterGroups((WeightDecay(RMSProp(lr), 0.3), RMSProp(lr)), sizes=(32, 36)),
        linear=False,
        decays=True,
    ),
    # One around another: what an outer one says has to be true of all that is inside.
    "at an edge ratio, decay of heavy ball": Case(
        make=lambda lr: AtEdgeRatio(WeightDecay(HeavyBall(lr, 0.5), 0.3), 0.8),
        linear=False,
        scheduled=False,
        decays=True,
    ),
    "at an edge ratio, decay of adam": Case(
        make=lambda lr: AtEdgeRatio(WeightDecay(Adam(lr), 0.3), 0.8), linear=False, scheduled=False, decays=True
    ),
    "at an edge ratio, decoupled decay of sam": Case(
        make=lambda lr: AtEdgeRatio(DecoupledWeightDecay(SAM(lr, 0.05), 0.3), 0.8, every=3),
        linear=False,
        scheduled=False,
        decays=True,
    ),
    "at an edge ratio, dominant part of decay of rmsprop": Case(
        make=lambda lr: AtEdgeRatio(Projected(WeightDecay(RMSProp(lr), 0.3), 2, every=3), 0.8, every=2),
        linear=False,
        scheduled=False,
        decays=True,
    ),
    "at an edge ratio, parameter groups": Case(
        make=lambda lr: AtEdgeRatio(
            ParameterGroups((WeightDecay(RMSProp(lr), 0.3), RMSProp(lr)), sizes=(32, 36)), 0.8
        ),
        linear=False,
        scheduled=False,
        decays=True,
    ),
    "bulk part of heavy ball at an edge ratio": Case(
        make=lambda lr: Projected(AtEdgeRatio(HeavyBall(lr, 0.5), 0.8), 2, "bulk"), linear=False, scheduled=False
    ),
    "bulk part of the dominant part": Case(
        make=lambda lr: Projected(Projected(HeavyBall(lr, 0.5), 3), 1, "bulk"), linear=False
    ),
    "dominant part of decoupled decay of sam": Case(
        make=lambda lr: Projected(DecoupledWeightDecay(SAM(lr, 0.05), 0.3), 2), linear=False, decays=True
    ),
    "dominant part of schedule-free": Case(make=lambda lr: Projected(ScheduleFree(lr), 2), linear=False),
    "decoupled decay of the dominant part": Case(
        make=lambda lr: DecoupledWeightDecay(Projected(HeavyBall(lr, 0.5), 2, every=3), 0.3),
        linear=False,
        decays=True,
    ),
    "parameter groups of parameter groups": Case(
        make=lambda lr: ParameterGroups(
            (
                ParameterGroups((WeightDecay(RMSProp(lr), 0.3), RMSProp(lr)), sizes=(24, 8)),
                WeightDecay(RMSProp(lr), 0.1),
            ),
            sizes=(32, 36),
        ),
        linear=False,
        decays=True,
    ),
}
"""By name; every method that the room exports is among them."""
