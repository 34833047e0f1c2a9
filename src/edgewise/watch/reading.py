"""What a watch has read: single readings, and the table of them."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, final, overload

import numpy as np
from numpy.typing import NDArray

from edgewise.foundation import RecordError, SettingError

Kind = Literal[
    "update norm",
    "gradient norm",
    "secant curvature",
    "critical sharpness",
    "gradient curvature",
    "batch sharpness",
    "effective sharpness",
    "mean-square sharpness",
]
"""What can be read of a training run, in the order of cost.

    update norm          ‖Δ‖, the length of an update
    gradient norm        ‖g‖ of what the optimiser was given
    secant curvature     Δᵀ(g' − g)/‖Δ‖² of two successive gradients
    critical sharpness   2/η_c, where along the real update the loss comes back: forward passes only
    gradient curvature   curvature along the gradient of the probe batch, in the optimiser's metric
    batch sharpness      the same, as a mean over batches as large as those of the training
    effective sharpness  λ, the largest eigenvalue of P^(-1/2) H P^(-1/2) on the probe batch
    mean-square sharpness
                         the sharpness that would be as near to its edge if all batches of that size agreed;
                         without momentum and P it is E‖H_B u‖²/λ, over batches B, with the eigenvector u
"""

KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]  # a Literal lists its values


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One number read of a run, between what it lies, what it is to be compared with, and what it cost.

    Attributes:
        step: the update it is about: update number t leads from w_t to w_{t+1}, counted from 0.
        kind: what was read.
        value: the number.
        low: what it is at least: an error bound, a bracket or a 95 % interval, as the kind has it.
        high: what it is at most.
        critical: the critical curvature that belongs to it; None for what is no curvature, or has no edge.
        lr: the step size of the first param group.
        passes: forward passes it cost, a gradient counted as three and a Hessian-vector product as six.
        seconds: what it took.
    """

    step: int
    kind: Kind
    value: float
    low: float
    high: float
    critical: float | None
    lr: float
    passes: float
    seconds: float

    @property
    def ratio(self) -> float | None:
        """The edge ratio, value ÷ critical curvature."""
        return None if self.critical is None or self.critical <= 0 else self.value / self.critical

    @property
    def ratio_bounds(self) -> tuple[float, float] | None:
        """Between what the edge ratio lies, as far as the reading itself tells."""
        if self.critical is None or self.critical <= 0:
            return None
        return self.low / self.critical, self.high / self.critical

    def __str__(self) -> str:
        text = f"step {self.step}: {self.kind} {self.value:.4g} ({self.low:.4g} to {self.high:.4g})"
        return text if self.ratio is None else f"{text}, {self.ratio:.2f} of its critical value"


@final
class Readings(Sequence[Reading]):
    """The readings of a watch, in order, as a table: a row each."""

    def __init__(self, rows: Sequence[Reading] = ()) -> None:
        self._rows = tuple(rows)

    @overload
    def __getitem__(self, index: int) -> Reading: ...
    @overload
    def __getitem__(self, index: slice) -> "Readings": ...
    def __getitem__(self, index: int | slice) -> "Reading | Readings":
        return Readings(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Reading]:
        return iter(self._rows)

    def of(self, kind: str) -> "Readings":
        """Those of one kind.

        Raises:
            SettingError: if there is no such kind.
        """
        if kind not in KINDS:
            raise SettingError(f"readings of {kind!r}", "nothing of that name is read", f"Type one of {KINDS}")
        return Readings([row for row in self._rows if row.kind == kind])

    def column(self, name: str) -> NDArray[np.float64]:
        """One column as numbers, such as `step`, `value` or `ratio`; nan where a row has none.

        Raises:
            SettingError: if there is no such column of numbers.
        """
        if name not in _NUMBERS:
            raise SettingError(
                f"a column {name!r}", "the table has no such numbers", f"Type one of {', '.join(_NUMBERS)}"
            )
        return np.array([np.nan if (x := getattr(row, name)) is None else x for row in self._rows], np.float64)

    def to_csv(self, path: str | Path) -> None:
        """Write the table, with a line of names above it.

        Raises:
            RecordError: if the file cannot be written.
        """
        try:
            with Path(path).open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(_COLUMNS)
                writer.writerows([getattr(row, name) for name in _COLUMNS] for row in self._rows)
        except OSError as error:
            raise RecordError(
                f"the file {path}", f"it cannot be written ({error.strerror})", "Give another path"
            ) from error

    def __str__(self) -> str:
        if not self._rows:
            return "no readings yet"
        lines = [f"{'step':>8}  {'what':<21} {'value':>11} {'low':>11} {'high':>11} {'critical':>11} {'ratio':>7}"]
        for row in self._rows:
            critical = "" if row.critical is None else f"{row.critical:.4g}"
            ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
            lines.append(
                f"{row.step:>8}  {row.kind:<21} {row.value:>11.4g} {row.low:>11.4g} {row.high:>11.4g} "
                f"{critical:>11} {ratio:>7}"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Readings({len(self)} rows)"


_COLUMNS = (*(field.name for field in fields(Reading)), "ratio")
_NUMBERS = tuple(name for name in _COLUMNS if name != "kind")
