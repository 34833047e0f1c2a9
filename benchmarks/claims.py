"""A sentence about a measured number, and whether it holds."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.table import Table


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence about a measured number, and whether it holds."""

    sentence: str
    setting: str
    measured: float
    low: float = -np.inf
    high: float = np.inf

    def row(self) -> list[str]:
        """As a row of the table."""
        low, high = (f"{bound:.4g}" for bound in (self.low, self.high))
        expected = f"{low} … {high}" if np.isfinite([self.low, self.high]).all() else None
        expected = expected or (f"≤ {high}" if np.isfinite(self.high) else f"≥ {low}")
        holds = self.low <= self.measured <= self.high
        return [self.sentence, self.setting, f"{self.measured:.4g}", expected, "holds" if holds else "**fails**"]


def verdicts(title: str, claims: Iterable[Claim]) -> Table:
    """The claims as a table."""
    return Table(
        title=title,
        setting="One run each (seed 0); a claim that does not hold in it is shown failing.",
        columns=["claim", "setting", "measured", "expected", "verdict"],
        rows=[claim.row() for claim in claims],
    )
