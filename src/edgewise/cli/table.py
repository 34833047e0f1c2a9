"""The table of a run: step, loss, accuracy, sharpness ± bound, edge ratio."""

import math
from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from edgewise.dynamics import Readings

UNCONVERGED = " (!)"
"""What is set behind a value whose error bound is wider than was asked for."""

HEADINGS = ("step", "loss", "accuracy", "sharpness", "next eigenvalues", "edge ratio")

Rows = Mapping[str, Readings]
"""The readings of every process at one step."""

# Further eigenvalues shown.
_NEXT = 2
# Within this distance of one a run counts as being at its edge; as in the figures.
_BAND = 0.05


def table(lines: Iterable[tuple[int, Rows]], *, current: int | None = None) -> Table:
    """Rows as a table.

    Args:
        lines: step and readings.
        current: the step to show in bold.
    """
    lines = list(lines)
    named = any(len(rows) > 1 for _, rows in lines)
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in ("process", *HEADINGS) if named else HEADINGS:
        out.add_column(heading, justify="left" if heading == "process" else "right", no_wrap=True)
    for step, rows in lines:
        for name, row in rows.items():
            style = "bold" if step == current else ""
            out.add_row(*([Text(name)] if named else []), *cells(step, row), style=style)
    if any(_unconverged(row) for _, rows in lines for row in rows.values()):
        out.caption = f"{UNCONVERGED.strip()} the error bound is wider than was asked for"
        out.caption_justify = "left"
    return out


def cells(step: int, row: Readings) -> Sequence[Text]:
    """One row, a cell a heading; a dash for what was not read."""
    values, bounds = _ranks(row, "sharpness"), _ranks(row, "sharpness_bound")
    ratio = next(iter(_ranks(row, "effective_edge_ratio") or _ranks(row, "edge_ratio")), math.nan)
    sharpness = plus_minus(values[0], next(iter(bounds), math.nan)) if values else "–"
    mark = UNCONVERGED if _unconverged(row) else ""
    following = [v for v in values[1:] if not math.isnan(v)]
    rest = ", ".join(f"{v:.4g}" for v in following[:_NEXT]) + (" …" if len(following) > _NEXT else "")
    return (
        Text(f"{step:,}"),
        Text(_number(row, "loss", "{:.4g}")),
        Text(_number(row, "accuracy", "{:.1%}")),
        Text(sharpness + mark, style="red" if mark else ""),
        Text(rest or "–"),
        Text("–" if math.isnan(ratio) else f"{ratio:.3f}", style=_colour(ratio)),
    )


def plus_minus(value: float, bound: float) -> str:
    """A value with its error bound, to the bound's first digit: 14.31 ± 0.02.

    No more than six digits of the value are shown; a bound that is smaller than their last is written with an
    exponent.
    """
    if not (math.isfinite(value) and math.isfinite(bound)) or bound <= 0:
        return f"{value:.5g}"
    largest = max(abs(value), bound)
    if not 1e-3 <= largest < 1e6:
        return f"{value:.5e} ± {bound:.0e}"
    most = max(0, 5 - math.floor(math.log10(largest)))
    decimals = max(0, -math.floor(math.log10(bound)))
    error = f"{bound:.{decimals}f}" if decimals <= most else f"{bound:.0e}"
    return f"{value:.{min(decimals, most)}f} ± {error}"


def _colour(ratio: float) -> str:
    if math.isnan(ratio) or ratio < 1 - _BAND:
        return ""
    return "green" if ratio <= 1 + _BAND else "yellow"


def _number(row: Readings, name: str, pattern: str) -> str:
    value = row.get(name)
    return pattern.format(value) if isinstance(value, int | float) and not math.isnan(value) else "–"


def _ranks(row: Readings, name: str) -> Sequence[float]:
    """The readings of a series by rank; empty if the largest was not read."""
    values = row.get(name, ())
    ranks = values if isinstance(values, Sequence) else (values,)
    return ranks if ranks and not math.isnan(ranks[0]) else ()


def _unconverged(row: Readings) -> bool:
    return 0.0 in _ranks(row, "sharpness_converged")[:1]
