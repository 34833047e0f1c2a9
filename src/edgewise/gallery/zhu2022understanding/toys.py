"""The products and their maps: descent on (1 − x²y²)²/4, on (1 − xy)²/2 and on (1 − ∏ wᵢ)²/2.

The first is the minimalist example, ½(1 − xyzw)² with the factors equal in pairs. Where the sharpness of its
minima, xy = 1, is 2/η, is the origin of the coordinates

    a = √(x² − y²) − ĉ,   b = xy − 1,   κ = √η,

in which two steps are a″ = a − 4b²κ³ + …, b″ = b + 8abκ − 16b³ + …
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.theory import iterate

Reals = NDArray[np.float64]
Some = Reals | float


def four_step(x: Reals, y: Reals, lr: Reals) -> tuple[Reals, Reals, Reals]:
    """A step of gradient descent on (1 − x²y²)²/4."""
    d = x * y
    e = lr * d * (d * d - 1.0)
    return x - e * y, y - e * x, lr


def two_step(x: Reals, y: Reals, lr: Reals) -> tuple[Reals, Reals, Reals]:
    """A step of gradient descent on (1 − xy)²/2."""
    e = lr * (x * y - 1.0)
    return x - e * y, y - e * x, lr


def sharpness(x: Some, y: Some) -> Reals:
    """The largest eigenvalue of the Hessian of (1 − x²y²)²/4, in closed form."""
    s, g = np.square(x) + np.square(y), np.multiply(x, y)
    root = s**2 * (1 - 3 * g**2) ** 2 + 4 * g**2 * (3 - 10 * g**2 + 7 * g**4)
    return np.asarray(0.5 * (s * (3 * g**2 - 1) + np.sqrt(root)))


def flow_sharpness(x: Some, y: Some) -> Reals:
    """The sharpness at which gradient flow on (1 − x²y²)²/4 ends: it keeps x² − y²."""
    return np.asarray(2 * np.sqrt((np.square(x) - np.square(y)) ** 2 + 4))


def edge(lr: Some, degree: int) -> Reals:
    """ĉ: √(x² − y²) at the minimum with the sharpness 2/η, where x² + y² is 1/η in degree four and 2/η in two."""
    squares = {4: 1.0, 2: 2.0}[degree] / np.asarray(lr)
    return np.asarray((squares**2 - 4) ** 0.25)


def point(a: Some, b: Some, lr: Some, degree: int = 4) -> tuple[Reals, Reals]:
    """From a and b to x and y."""
    c, d = edge(lr, degree) + a, 1 + np.asarray(b)
    q = np.sqrt(c**4 + 4 * d**2)
    return np.sqrt((c**2 + q) / 2), np.sqrt(2) * d / np.sqrt(c**2 + q)


def coordinates(x: Some, y: Some, lr: Some, degree: int = 4) -> tuple[Reals, Reals]:
    """From x and y to a and b."""
    return np.sqrt(np.square(x) - np.square(y)) - edge(lr, degree), np.multiply(x, y) - 1


def trajectories(
    starts: tuple[tuple[float, float], ...],
    lrs: tuple[float, ...],
    steps: int,
    every: int = 1,
    degree: int = 4,
    local: bool = False,
) -> xr.Dataset:
    """From every start with every step size.

    Args:
        starts: (x, y), or (a, b).
        lrs: the step sizes.
        steps: how many.
        every: keep the state every so many steps.
        degree: of the product, 4 or 2.
        local: whether the starts are (a, b).
    """
    first, second = (np.array(part)[:, None] for part in zip(*starts, strict=True))
    lr = np.array(lrs)
    x, y = point(first, second, lr, degree) if local else (first, second)
    x, y, _ = iterate(four_step if degree == 4 else two_step, (x, y, lr), steps, every=every)
    a, b = coordinates(x, y, lr, degree)
    g = x * y
    dims = ("step", "start", "lr")
    return xr.Dataset(
        {
            "x": (dims, x),
            "y": (dims, y),
            "a": (dims, a),
            "b": (dims, b),
            "loss": (dims, (1 - g**2) ** 2 / 4 if degree == 4 else (1 - g) ** 2 / 2),
            "sharpness": (dims, sharpness(x, y) if degree == 4 else _sharpness_two(x, y)),
        },
        coords={"step": np.arange(0, steps + 1, every), "start": np.arange(len(starts)), "lr": lr},
    )


def ends(starts: tuple[tuple[float, float], ...], lrs: tuple[float, ...], steps: int) -> xr.Dataset:
    """Where descent from every (a, b) with every step size ends, and where it began."""
    return trajectories(starts, lrs, steps, every=steps, local=True)


def two_steps(a: float, b: float, lr: float, shares: tuple[float, ...]) -> xr.Dataset:
    """The displacement of a and of b by two steps from smaller and smaller (a, b), ÷ its leading terms."""
    scale, kappa = np.array(shares), np.sqrt(lr)
    a0, b0 = a * scale, b * scale
    x, y, _ = iterate(four_step, (*point(a0, b0, lr), lr), 2)
    a2, b2 = coordinates(x, y, lr)
    return xr.Dataset(
        {
            "a": ("share", (a2 - a0) / (-4 * b0**2 * kappa**3)),
            "b": ("share", (b2 - b0) / (8 * a0 * b0 * kappa - 16 * b0**3)),
        },
        coords={"share": scale},
    )


def grid(lr: float, points: int, upper: float, steps: int) -> xr.Dataset:
    """The sharpness at which descent ends from the centres of the cells of a square; NaN where it escapes."""
    at = (np.arange(points) + 0.5) * upper / points
    x0, y0 = np.meshgrid(at, at)
    x, y, _ = iterate(four_step, (x0, y0, lr), steps)
    with np.errstate(all="ignore"):
        found, product = sharpness(x, y), x * y
        converged = np.isfinite(found) & (np.abs(product**2 - 1) < 1e-6)
    return xr.Dataset(
        {
            "sharpness": (("y", "x"), np.where(converged, found, np.nan)),
            "flow": (("y", "x"), np.where(converged, flow_sharpness(x0, y0), np.nan)),
        },
        coords={"x": at, "y": at, "lr": lr},
    )


def frozen(shifts: tuple[float, float, int], start: float, steps: int, kept: int) -> xr.Dataset:
    """b ← b (1 + s − 16 b²): two steps while a stands still at s/(8κ); the last states for every s.

    Args:
        shifts: s from, to, and how many values of it.
        start: b.
        steps: before those that are kept.
        kept: how many states are.
    """
    s = np.linspace(shifts[0], shifts[1], shifts[2])

    def step(b: Reals, s: Reals) -> tuple[Reals, Reals]:
        return b * (1 + s - 16 * b * b), s

    b, _ = iterate(step, (start, s), steps)
    b, _ = iterate(step, (b, s), kept - 1, every=1)
    return xr.Dataset({"b": (("step", "s"), b)}, coords={"s": s, "step": np.arange(kept)})


def product(factors: tuple[float, ...], lr: float, steps: int) -> xr.Dataset:
    """Descent on (1 − ∏ wᵢ)²/2 with factors of their own; the sharpness where it ends, and where flow does."""

    def step(*w: Reals) -> tuple[Reals, ...]:
        whole = np.prod(np.stack(w), axis=0)
        return tuple(part - lr * (whole - 1.0) * whole / part for part in w)

    w = np.stack(iterate(step, tuple([factor] for factor in factors), steps, every=1), axis=-1)[:, 0]
    return xr.Dataset(
        {
            "w": (("step", "factor"), w),
            "sharpness": ("step", np.array([product_sharpness(row) for row in w])),
            "flow": float(np.sum(1 / balanced(np.array(factors)))),
        },
        coords={"step": np.arange(steps + 1), "lr": lr},
    )


def product_sharpness(w: Reals) -> float:
    """The largest eigenvalue of the Hessian of (1 − ∏ wᵢ)²/2: p²/wᵢ², off the diagonal (2p − 1) p/(wᵢwⱼ)."""
    p = np.prod(w)
    hessian = (2 * p - 1) * p / np.outer(w, w)
    np.fill_diagonal(hessian, p**2 / w**2)
    return float(np.linalg.eigvalsh(hessian)[-1])


def balanced(w: Reals) -> Reals:
    """w² at the end of gradient flow on (1 − ∏ wᵢ)²/2, which keeps wᵢ² − wⱼ²: ∏ (wᵢ² + c) = 1, by halving."""
    low, high = -float(np.min(w) ** 2), 1.0
    for _ in range(200):
        c = (low + high) / 2
        low, high = (c, high) if np.prod(w**2 + c) < 1 else (low, c)
    return np.asarray(w**2 + high)


def _sharpness_two(x: Reals, y: Reals) -> Reals:
    """The largest eigenvalue of the Hessian of (1 − xy)²/2: y² and x² on the diagonal, 2xy − 1 beside it."""
    return np.asarray((x**2 + y**2) / 2 + np.sqrt((x**2 - y**2) ** 2 / 4 + (2 * x * y - 1) ** 2))
