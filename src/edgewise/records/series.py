"""What a run measures: declared series of numbers, and events in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsFloat, final

from edgewise.foundation import RecordError

RESERVED = ("process", "step")
"""The two axes every reading has; no series and no further dimension may take their names."""


Reading = SupportsFloat | Sequence[SupportsFloat]
"""One reading of a series: a number, or a list or one-dimensional array of them."""


@final
@dataclass(frozen=True, slots=True)
class Series:
    """A named quantity that is read at steps of a process: a number, or a short vector.

    Attributes:
        name: the variable's name in the dataset; names that differ in case only count as one. A
            series named `time` becomes the coordinate `time(process, step)`.
        dims: at most one dimension beside process and step, such as `("rank",)`; counted from 1.
        units: units as a reader would write them, "" for a pure number.
        long_name: the label of an axis, in words.

    Example:
        >>> Series("sharpness", ("rank",), long_name="largest Hessian eigenvalues").dims
        ('rank',)
    """

    name: str
    dims: tuple[str, ...] = ()
    units: str = ""
    long_name: str = ""

    def __post_init__(self) -> None:
        for name in (self.name, *self.dims):
            # Quotes and brackets are how columns are spelled in the file: "sharpness[2]".
            if not name or not name.isprintable() or set(name) & set('"[]') or name.lower() in RESERVED:
                raise RecordError(
                    f"a series {self.name!r} with dimensions {self.dims}",
                    f"{name!r} cannot name a series or a dimension of one",
                    "Use letters, digits and _; the words process and step are taken",
                )
        if len(self.dims) > 1 or self.name in self.dims or (self.name == "time" and self.dims):
            raise RecordError(
                f"a series {self.name!r} with dimensions {self.dims}",
                "a reading is a number or one vector along a dimension with a name of its own",
                'Type dims=() or dims=("rank",); put larger arrays into a checkpoint',
            )

    def columns(self, width: int) -> tuple[str, ...]:
        """The columns that hold this series in the table of readings, quoted for SQL."""
        return tuple(f'"{self.name}[{i}]"' for i in range(1, width + 1)) if self.dims else (f'"{self.name}"',)


@final
@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened during a run, in words.

    Attributes:
        step: the step it happened at.
        process: the process it happened to; None for the run as a whole.
        kind: one word to search for, such as "diverged".
        text: a sentence.
    """

    step: int
    process: str | None
    kind: str
    text: str
