"""What a benchmark hands back: a table, and the targets that it is held against."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A number that should not be above its limit.

    Attributes:
        what: what was measured, in words.
        measured: what it came to.
        limit: what it should not exceed.
    """

    what: str
    measured: float
    limit: float

    @property
    def met(self) -> bool:
        """Whether it is within the limit."""
        return self.measured <= self.limit

    def __str__(self) -> str:
        return f"{'met' if self.met else '**missed**'}: {self.what} {self.measured:.3g}, target ≤ {self.limit:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of measurements.

    Attributes:
        title: its heading.
        setting: what was measured, in sentences.
        columns: the first one names the rows.
        rows: as printed.
        targets: what the numbers are held against.
    """

    title: str
    setting: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    targets: Sequence[Target] = field(default_factory=tuple)

    def markdown(self) -> str:
        """Heading, setting, table, and every target with whether it was met."""
        lines = [
            f"### {self.title}",
            "",
            self.setting,
            "",
            f"| {' | '.join(self.columns)} |",
            f"| --- |{' ---: |' * (len(self.columns) - 1)}",
            *(f"| {' | '.join(row)} |" for row in self.rows),
        ]
        if self.targets:
            lines += ["", *(f"- {target}" for target in self.targets)]
        return "\n".join(lines)
