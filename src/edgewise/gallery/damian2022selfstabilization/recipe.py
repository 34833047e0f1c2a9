"""The toy in closed form, and networks: predicted step by step, and beside projected descent and gradient flow."""

from collections.abc import Mapping

from edgewise.dynamics import Distance, Midpoint, Sharpness
from edgewise.flows import ConstrainedFlow, GradientFlow
from edgewise.gallery.damian2022selfstabilization.networks import followed, setting
from edgewise.gallery.damian2022selfstabilization.toy import STEP_SIZES, cycles, resting
from edgewise.methods import GradientDescent
from edgewise.reproduction import Computation, Descent, Experiment, Scale

_CYCLES = {Scale.SMOKE: 4, Scale.LAPTOP: 8, Scale.PAPER: 8}


def toy(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Cycles at four step sizes, and the cycle of two steps."""
    runs = {f"η = {eta:g}": Computation(cycles, {"step_size": eta, "count": _CYCLES[scale]}) for eta in STEP_SIZES}
    return {**runs, "resting": Computation(resting, {"step_size": STEP_SIZES[0], "steps": 1000})}


def mlp(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A fully connected network."""
    return _network("mlp", scale, seed)


def early(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """The same network from an early crossing of the edge."""
    return {"early": _followed("mlp", scale, seed, late=False)}


def cnn(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A convolutional network."""
    return _network("cnn", scale, seed)


def transformer(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A transformer, whose start is past the edge, so that no constrained trajectory begins there."""
    return {"late": _followed("transformer", scale, seed, late=True)}


def _network(kind: str, scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """The prediction from a later crossing of the edge; gradient descent beside both flows."""
    chosen = setting(kind, scale.value, seed)
    method, (steps, every) = GradientDescent(chosen.step_size), _paths(kind, scale)
    paths = Descent(
        processes={
            "gd": method,
            "mid": Midpoint("gd"),
            "constrained": ConstrainedFlow(method),
            "flow": GradientFlow(),
        },
        problem=chosen.problem,
        steps=steps,
        probes=(
            Sharpness(every=every),
            Distance("mid", "constrained", every=every),
            Distance("mid", "flow", every=every),
        ),
    )
    return {"late": _followed(kind, scale, seed, late=True), "paths": paths}


def _paths(kind: str, scale: Scale) -> tuple[int, int]:
    """For how many steps trajectories are compared, and how often they are read; past a cycle at the edge."""
    if scale is Scale.SMOKE:
        return {"mlp": 350, "cnn": 600}[kind], 10
    return 800, 20


def _followed(kind: str, scale: Scale, seed: int, *, late: bool) -> Experiment:
    chosen = setting(kind, scale.value, seed)
    arguments = {"kind": kind, "scale": scale.value, "seed": seed, "steps": chosen.followed}
    return Computation(followed, {**arguments, "crossing": chosen.crossings[late]})
