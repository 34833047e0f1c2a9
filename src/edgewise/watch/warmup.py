"""How long a warm-up a model needs: from the edge ratios of its first steps."""

import math
from collections.abc import Sequence

from edgewise.watch.deciding import ONE_DIRECTION
from edgewise.watch.reading import Kind, Reading
from edgewise.watch.slope import per_unit

# Early: so many steps, or this share of the run if that is more. Fewer readings than this tell nothing.
_EARLY, _EARLY_SHARE, _FEWEST = 100, 0.1, 3
# A run that hovers at its edge is read above one as often as below; this much above it is too much.
_BAND = 0.1


def warmup(readings: Sequence[Reading], order: Sequence[Kind], full: float) -> tuple[int | None, str]:
    """The steps of a linear warm-up to the step size `full` that stays below the edge.

        T = min{T : (t/T) η_full c_t ≤ 1 for all t ≤ T},    c_t = r_t/η_t

    with the edge ratios r_t read at the step sizes η_t: c_t is the edge ratio of a unit of step size. None while
    c_t has not fallen to what the full step size allows, or was not read early.

    Args:
        readings: readable ones, in order.
        order: of kinds, the best first; the first with enough early readings is taken.
        full: the step size at the end of the warm-up.

    Returns:
        The steps, and a sentence.
    """
    window = max(_EARLY, _EARLY_SHARE * readings[-1].step)
    counts = {kind: sum(row.kind == kind and row.step <= window for row in readings) for kind in order}
    kind = next((kind for kind in order if counts[kind] >= _FEWEST), None)
    if kind is None:
        words = (
            f"it takes {_FEWEST} readings of the first {window:.0f} steps, and there are {max(counts.values())}"
        )
        return None, f"How long a warm-up is needed cannot be told: {words}."
    rows = [row for row in readings if row.kind == kind]
    early = rows[: counts[kind]]
    ratios = [full * per_unit(row) for row in rows]
    above = [i for i in range(len(early)) if ratios[i] > 1 + _BAND]
    least = " Along other directions it may be more." if kind in ONE_DIRECTION else ""
    if not above:
        allowed = f"from step {rows[0].step} on the {kind} allowed the full {full:.3g}"
        return 0, f"No warm-up is needed: {allowed}.{least}"
    settled = next((i for i in range(above[-1] + 1, len(rows)) if ratios[i] <= 1), None)
    steepest = max(range(len(early)), key=lambda i: ratios[i])
    allowed = f"at step {rows[steepest].step} the {kind} allowed only {full / ratios[steepest]:.3g}"
    if settled is None:
        return None, (
            f"How long a warm-up to {full:.3g} is needed cannot be told: {allowed}, "
            "and it has not fallen since to what the full step size allows."
        )
    steps = float(rows[settled].step)
    for row, ratio in zip(rows, ratios, strict=True):
        if row.step <= steps:
            # Update number t is the (t+1)th, so a ramp of T steps gives it (t+1)/T of the full step size.
            steps = max(steps, (row.step + 1) * ratio)
    needed = math.ceil(steps)
    return needed, (
        f"A linear warm-up to {full:.3g} over about {needed} steps stays below the edge: {allowed}.{least}"
    )
