"""From a method to its drift: the limit of small steps, method by method."""

from dataclasses import replace
from functools import singledispatch

from edgewise.flows.stable.averages import Averaged, Moments, Summed, require_memory
from edgewise.flows.stable.composed import Decayed, Groups, Shown, ratios_at
from edgewise.flows.stable.drift import Along, Ascended, Drift, Normalized, Rooted
from edgewise.flows.stable.orthogonalized import Orthogonalized
from edgewise.foundation import SettingError
from edgewise.methods import (
    SAM,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AnyMethod,
    AtEdgeRatio,
    AveragedMomentum,
    DecoupledWeightDecay,
    FrozenAdam,
    GradientDescent,
    HeavyBall,
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


@singledispatch
def drift(method: AnyMethod) -> Drift:
    """The drift of a method.

    Raises:
        SettingError: if it is not known, or does not exist.
    """
    name = type(method).__name__
    raise SettingError(
        f"StableFlow({name}(…))",
        f"where {name} goes as its step size goes to zero is not known here",
        "Type GradientFlow() for the descent without it, or StableFlow of a method from edgewise.methods",
    )


@drift.register(GradientDescent)
@drift.register(AveragedMomentum)
def _(method: GradientDescent | AveragedMomentum) -> Drift:
    return Along()


@drift.register(HeavyBall)
@drift.register(Nesterov)
def _(method: HeavyBall | Nesterov) -> Drift:
    # w' − w = −η v' with v' = g/(1 − β); Nesterov's −η (g + β v') is the same.
    return Along(1.0 / (1.0 - method.beta))


@drift.register
def _(method: SGD) -> Drift:
    dampening = method.dampening if method.momentum > 0.0 else 0.0
    along = Along((1.0 - dampening) / (1.0 - method.momentum))
    return Decayed(along, method.weight_decay, coupled=True) if method.weight_decay else along


@drift.register
def _(method: NormalizedGD) -> Drift:
    return Normalized()


@drift.register
def _(method: SqrtLossGD) -> Drift:
    return Rooted(method.minimum)


@drift.register
def _(method: SAM) -> Drift:
    return Ascended(method.rho)


@drift.register
def _(method: RMSProp) -> Drift:
    require_memory(f"StableFlow({method})", method.beta2)
    # Its average starts at zero.
    first = 1.0 - method.beta2
    return Moments(beta2=method.beta2, eps=method.eps, by_parameter=True, corrected=False, first=first)


@drift.register
def _(method: ScalarRMSProp) -> Drift:
    require_memory(f"StableFlow({method})", method.beta2)
    # Its average starts at the first squared gradient norm.
    return Moments(beta2=method.beta2, eps=method.eps, by_parameter=False, corrected=False, first=1.0)


@drift.register
def _(method: Adam) -> Drift:
    return _adam(method, method.betas[1], method.eps)


@drift.register
def _(method: NAdam) -> Drift:
    # The shares of g and of m' add up to one but for the rise of μ, which is over in a number of steps.
    return _adam(method, method.betas[1], method.eps)


@drift.register
def _(method: Adagrad) -> Drift:
    return Summed(initial=method.initial_sum, decay=method.lr_decay, eps=method.eps)


@drift.register
def _(method: AdamW) -> Drift:
    return Decayed(_adam(method, method.betas[1], method.eps), method.weight_decay, coupled=False)


@drift.register
def _(method: FrozenAdam) -> Drift:
    return _adam(method, method.betas[1], method.eps, method.freeze_at)


@drift.register
def _(method: Muon) -> Drift:
    # The coarse rounding of the iteration jumps from place to place; it is left out like noise.
    alone = replace(method, lr=1.0, weight_decay=0.0, precision=None)
    along = Orthogonalized(alone)
    return Decayed(along, method.weight_decay, coupled=False) if method.weight_decay else along


@drift.register
def _(method: ScheduleFree) -> Drift:
    return Averaged(method.beta)


@drift.register
def _(method: WeightDecay) -> Drift:
    return Decayed(drift(method.method), method.decay, coupled=True)


@drift.register
def _(method: DecoupledWeightDecay) -> Drift:
    return Decayed(drift(method.method), method.decay, coupled=False)


@drift.register
def _(method: AtEdgeRatio) -> Drift:
    # Time is counted in step sizes, and then it does not matter how long each of them is.
    return drift(method.method)


@drift.register
def _(method: Projected) -> Drift:
    return Shown(
        inner=drift(method.method),
        k=method.k,
        bulk=method.part == "bulk",
        every=method.every,
        rtol=method.rtol,
        seed=method.seed,
    )


@drift.register
def _(method: ParameterGroups) -> Drift:
    drifts = tuple(drift(each) for each in method.methods)
    return Groups(
        methods=method.methods, drifts=drifts, sizes=method.sizes, ratios=ratios_at(method.methods, step=0)
    )


def _adam(method: AnyMethod, beta2: float, eps: float, freeze_at: int | None = None) -> Drift:
    require_memory(f"StableFlow({method})", beta2)
    return Moments(beta2=beta2, eps=eps, by_parameter=True, corrected=True, first=1.0, freeze_at=freeze_at)
