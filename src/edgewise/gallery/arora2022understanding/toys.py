"""Two methods whose steps do not shrink at a minimum, on a quadratic and on L = ½ (1 + x²) y².

The minimisers of the second are the line y = 0, along which the sharpness is λ₁ = 1 + x²: it is least at x = 0.
Both limiting flows and the gradient flow down to the line are known in closed form.
"""

import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import lambertw

from edgewise.foundation import derive_seed

Reals = NDArray[np.float64]
Place = tuple[float, float]

METHODS = ("normalized", "sqrt_loss")

SPECTRUM = (4.0, 2.0, 1.0, 0.5, 0.25)
QUADRATIC_LR = 0.01

# A start next to the line, from which the two halves of the period of two are not equal.
_SLIDE_FROM, _ASIDE = 2.0, 0.3
_SEGMENT = 33  # places on a step at which its sharpness is looked up

DESCENT_FROM, SLIDE_UNTIL = (2.0, 1.0), 1.0


def quadratic(starts: int, steps: int, seed: int) -> xr.Dataset:
    """Normalised gradient descent on ½ xᵀAx, A diagonal, from many starts; the last of them has no x₁."""
    numbers = np.random.default_rng(derive_seed(seed, "arora2022understanding"))
    x = 0.3 * numbers.standard_normal((starts, len(SPECTRUM)))
    x[-1, 0] = 0.0
    path = [x]
    for _ in range(steps):
        x = normalized_step(x)
        path.append(x)
    iterates = np.stack(path)
    names = ("step", "start", "eigenvalue")
    return xr.Dataset(
        {"x": (names, iterates), "gradient": (names, iterates * np.array(SPECTRUM))},
        coords={"step": np.arange(steps + 1), "eigenvalue": list(SPECTRUM)},
    )


def normalized_step(x: Reals) -> Reals:
    """A step of normalised gradient descent on the quadratic, from each row."""
    gradient = x * np.array(SPECTRUM)
    return np.asarray(x - QUADRATIC_LR * gradient / np.linalg.norm(gradient, axis=1, keepdims=True))


def slide(method: str, lr: float, time: float, readings: int) -> xr.Dataset:
    """Along the line for a time τ = η²t: where it is, where the limiting flow is, and what two steps add up to."""
    steps = round(time / lr**2)
    way = [(_SLIDE_FROM, _ASIDE * lr)]
    for _ in range(steps + 1):
        way.append(step(method, lr, way[-1]))
    x, y = np.array(way).T
    losses, top = 0.5 * (1 + x * x) * y * y, 1 + x * x
    roots = np.sqrt(losses[:-1]) + np.sqrt(losses[1:])
    predicted = lr * np.sqrt(top[:-1] / 2) if method == "normalized" else lr * top[:-1] / 2
    kept = np.arange(0, steps + 1, steps // readings)
    tau: Reals = lr**2 * kept.astype(np.float64)
    return xr.Dataset(
        {
            "lr": lr,
            "x": ("kept", x[kept]),
            "flow": ("kept", limiting_flow(method, tau)),
            "other_flow": ("kept", limiting_flow(METHODS[METHODS[0] == method], tau)),
            "loss": ("step", losses[:-1]),
            "root_sum": ("step", roots / predicted),
            "stableness": ("step", _stableness(method, lr, x, y)),
        },
        coords={"tau": ("kept", tau)},
    )


def descend(method: str, lr: float, places: int) -> xr.Dataset:
    """From far away down to the line, and along it until x = 1: the lengths of the two phases, and the way."""
    way, landed = [DESCENT_FROM], -1
    while way[-1][0] > SLIDE_UNTIL:
        if landed < 0 and abs(way[-1][1]) <= lr:
            landed = len(way) - 1
        way.append(step(method, lr, way[-1]))
    x, y = np.array(way).T
    losses, steps = 0.5 * (1 + x * x) * y * y, len(x) - 1
    # Dense where it begins, so that both phases are seen.
    kept = np.unique(np.geomspace(1, steps, places).astype(int)) - 1
    # With the step after it, of which there is one: both halves of the period of two are seen.
    kept = np.unique(np.concatenate([kept, kept + 1]))
    return xr.Dataset(
        {
            "lr": lr,
            "phase_one": landed,
            "phase_two": steps - landed,
            "landing": x[landed],
            "gradient_flow_limit": gradient_flow_limit(*DESCENT_FROM),
            "largest_loss": losses[landed:].max(),
            "x": ("kept", x[kept]),
            "y": ("kept", y[kept]),
            "loss": ("kept", losses[kept]),
            "descent_x": ("descent", x[: landed + 1]),
            "descent_y": ("descent", y[: landed + 1]),
        },
        coords={"step": ("kept", kept)},
    )


def loss(place: Place) -> float:
    """½ (1 + x²) y²."""
    x, y = place
    return 0.5 * (1 + x * x) * y * y


def gradient(place: Place) -> Place:
    """(x y², (1 + x²) y)."""
    x, y = place
    return x * y * y, (1 + x * x) * y


def step(method: str, lr: float, place: Place) -> Place:
    """x − η ∇L/‖∇L‖, or x − η ∇√L."""
    g, h = gradient(place)
    scale = lr / (math.hypot(g, h) if method == "normalized" else 2 * math.sqrt(loss(place)))
    return place[0] - scale * g, place[1] - scale * h


def sharpness(x: Reals, y: Reals) -> Reals:
    """The larger eigenvalue of [[y², 2xy], [2xy, 1 + x²]]."""
    half = (1 + x * x - y * y) / 2
    return np.asarray((1 + x * x + y * y) / 2 + np.sqrt(half * half + 4 * (x * y) ** 2))


def limiting_flow(method: str, tau: Reals) -> Reals:
    """dx/dτ = −¼ d log λ₁/dx = −x/(2(1 + x²)), or dx/dτ = −⅛ dλ₁/dx = −x/4, from x = 2."""
    if method == "normalized":
        # log x² + x² falls by τ, and w eʷ = z has the solution W(z).
        return _root(_SLIDE_FROM**2, tau)
    return np.asarray(_SLIDE_FROM * np.exp(-tau / 4))


def gradient_flow_limit(x: float, y: float) -> float:
    """Where the gradient flow meets y = 0: y² − log x² − x² stays as it is on the way."""
    return float(_root(x * x, np.array(y * y)))


def gradient_flow_height(x: Reals, start: Place) -> Reals:
    """The y over x on the gradient flow from `start`."""
    return np.asarray(np.sqrt(np.maximum(start[1] ** 2 + np.log(x**2 / start[0] ** 2) + x**2 - start[0] ** 2, 0)))


def _root(square: float, fall: Reals) -> Reals:
    """The x at which log x² + x² has fallen by so much from its value at x² = square."""
    return np.asarray(np.sqrt(lambertw(square * np.exp(square - fall)).real))


def _stableness(method: str, lr: float, x: Reals, y: Reals) -> Reals:
    """The effective step size × the largest sharpness on the step, for every step of a way."""
    size = np.hypot(x * y * y, (1 + x * x) * y) if method == "normalized" else np.sqrt(2 * (1 + x * x)) * np.abs(y)
    highest = np.zeros(len(x) - 1)
    for s in np.linspace(0, 1, _SEGMENT):
        between = (1 - s) * x[:-1] + s * x[1:], (1 - s) * y[:-1] + s * y[1:]
        highest = np.maximum(highest, sharpness(*between))
    return lr / size[:-1] * highest
