"""What the field's surveys ask at their end, each as a claim with its rival."""

from edgewise.claims import AtLeast, AtMost, Between, Claim, Measure, Runs
from edgewise.gallery.field2026practice.recipe import EDGE, MEASURED_EVERY, SIZES, STEPS

_KEY = "field2026practice"
_SPEED = f"{_KEY}, does the edge train faster?"
_FLATNESS = f"{_KEY}, does a larger step size generalise better?"
_SEEDS = 3
# A measurement takes about eleven products of two gradients each.
_COST = 1 + 2 * 11 / MEASURED_EVERY
_SMALL, _LARGE = f"η = {SIZES[0]:g}", f"η = {SIZES[-1]:g}"


def _against_best(step: int) -> Measure:
    """The least loss of the step size at the edge by `step` ÷ that of the best constant one by the end.

    The loss oscillates at the edge: hence the least so far.
    """

    def measure(runs: Runs) -> float:
        least = runs["race"]["loss"].sel(step=slice(0, step)).min("step")
        final = runs["race"]["loss"].min("step")
        constant = [float(final.sel(process=name)) for name in final["process"].values if name != EDGE]
        return float(least.sel(process=EDGE)) / min(constant)

    return measure


def _against_safe(runs: Runs) -> float:
    """The least loss at the edge ÷ that of the smallest constant step size."""
    final = runs["race"]["loss"].min("step")
    names = [str(name) for name in final["process"].values if name != EDGE]
    return float(final.sel(process=EDGE)) / float(final.sel(process=names[0]))


def _ratio(name: str) -> Measure:
    """A number of the largest step size ÷ that of the smallest."""
    return lambda runs: float(runs[_LARGE][name] / runs[_SMALL][name])


SPEED = (
    Claim(
        "held at the edge the step size trains faster than the best constant one, a step counting as a step",
        _SPEED,
        _against_best(STEPS),
        AtMost(0.95),
        seeds=_SEEDS,
        counter=Claim("the best constant one trains at least as fast", _SPEED, _against_best(STEPS), AtLeast(1.0)),
    ),
    Claim(
        "it does so when the products that measuring takes are counted too",
        _SPEED,
        _against_best(round(STEPS / _COST)),
        AtMost(0.95),
        seeds=_SEEDS,
        counter=Claim(
            "the best constant one trains at least as fast",
            _SPEED,
            _against_best(round(STEPS / _COST)),
            AtLeast(1.0),
        ),
    ),
    Claim(
        "it trains faster than a constant one that was chosen for safety",
        _SPEED,
        _against_safe,
        AtMost(0.95),
        seeds=_SEEDS,
        counter=Claim("the safe one trains as fast", _SPEED, _against_safe, AtLeast(1.0)),
    ),
)

FLATNESS = (
    Claim(
        "at the same training loss the largest step size is at a flatter point than the smallest",
        _FLATNESS,
        _ratio("sharpness"),
        AtMost(0.9),
        seeds=_SEEDS,
        counter=Claim("it is as sharp there", _FLATNESS, _ratio("sharpness"), Between(0.9, 1.1)),
    ),
    Claim(
        "there it generalises better",
        _FLATNESS,
        _ratio("test_loss"),
        AtMost(0.99),
        seeds=_SEEDS,
        counter=Claim("it generalises no better", _FLATNESS, _ratio("test_loss"), AtLeast(0.99)),
    ),
)
