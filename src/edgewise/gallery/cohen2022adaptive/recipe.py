"""Full-batch Adam and RMSProp, read in the metric of their own preconditioners.

At smoke the network fits a Chebyshev polynomial, the smallest problem on which the edge is reached and held; at
the larger scales it is a fully connected network on CIFAR-10.
"""

from collections.abc import Mapping

from edgewise.dynamics import EffectiveSharpness, Problem, Sharpness
from edgewise.methods import Adam, AnyMethod, FrozenAdam, RMSProp
from edgewise.problems import chebyshev_mlp, cifar10_mlp, digits_mlp
from edgewise.reproduction import Descent, Experiment, Scale

BETA1, BETA2 = 0.9, 0.99
MOMENTA = (0.0, 0.5, BETA1)
_EVERY = 10


def adam(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Adam under two step sizes."""
    step_sizes = (1e-3, 2e-3) if scale is Scale.SMOKE else (1e-4, 2e-4)
    return _runs(scale, seed, {f"η = {lr:g}": Adam(lr, (BETA1, BETA2)) for lr in step_sizes})


def momentum(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Adam with more and more momentum."""
    lr = _step_size(scale)
    return _runs(scale, seed, {f"β₁ = {beta1:g}": Adam(lr, (beta1, BETA2)) for beta1 in MOMENTA})


def rmsprop(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """RMSProp, whose threshold is that of gradient descent."""
    lr = 1e-3 if scale is Scale.SMOKE else 2e-5
    return _runs(scale, seed, {f"η = {lr:g}": RMSProp(lr, BETA2)})


def frozen(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Adam, and the same with its preconditioner frozen on the way to the edge."""
    lr, betas = _step_size(scale), (BETA1, BETA2)
    at = {Scale.SMOKE: 350, Scale.LAPTOP: 80, Scale.PAPER: 150}[scale]
    return _runs(scale, seed, {"Adam": Adam(lr, betas), f"frozen at {at}": FrozenAdam(lr, betas, freeze_at=at)})


def digits(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Both on digits, which are soon fitted."""
    problem = digits_mlp(n=300, widths=(32, 32), seed=seed)
    methods: Mapping[str, AnyMethod] = {"Adam": Adam(1e-3, (BETA1, BETA2)), "RMSProp": RMSProp(2e-4, BETA2)}
    return {name: _descent(problem, 1000, method) for name, method in methods.items()}


def _step_size(scale: Scale) -> float:
    return 1e-3 if scale is Scale.SMOKE else 1e-4


def _runs(scale: Scale, seed: int, methods: Mapping[str, AnyMethod]) -> dict[str, Experiment]:
    if scale is Scale.SMOKE:
        problem, steps = chebyshev_mlp(degree=4, seed=seed), 1200
    elif scale is Scale.LAPTOP:
        problem, steps = cifar10_mlp(n=1000, seed=seed), 600
    else:
        problem, steps = cifar10_mlp(n=5000, seed=seed), 3000
    return {name: _descent(problem, steps, method) for name, method in methods.items()}


def _descent(problem: Problem, steps: int, method: AnyMethod) -> Descent:
    return Descent(
        processes={"run": method},
        problem=problem,
        steps=steps,
        probes=(Sharpness(every=_EVERY), EffectiveSharpness(every=_EVERY)),
    )
