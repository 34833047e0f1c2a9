"""An exhibit, the unit of a reproduction, such as a figure of a paper; and a paper with its exhibits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

from matplotlib.figure import Figure

from edgewise.claims import Claim, Runs
from edgewise.figures import Film
from edgewise.foundation import SettingError
from edgewise.reproduction.experiment import Experiment
from edgewise.reproduction.scale import Scale

ExhibitRecipe = Callable[[Scale, int], Mapping[str, Experiment]]
"""From the scale and the seed to experiments by name."""

Drawing = Callable[[Runs], Figure]
"""From the records of one seed to a picture."""

Filming = Callable[[Runs], Film]
"""From the records of one seed to a film."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """Something that a paper shows: how it is made, what is claimed of it, and how it is drawn.

    Attributes:
        name: short, in the paper's words: `fig5`, `theorem1`.
        title: what is shown, in a line.
        recipe: what to perform.
        claims: what is asserted.
        figure: how it is drawn; a function of the records.
        film: how it is shown moving; None for what has no time, or is better seen at once.
        scales: the scales at which the recipe makes sense.
        golden_rtol: how far the smoke-scale effects may differ, relatively, from those in `golden.json`: rounding
            for a computation in double precision; for a network in single precision, whose oscillations multiply
            rounding, more.
    """

    name: str
    title: str
    recipe: ExhibitRecipe
    claims: tuple[Claim, ...]
    figure: Drawing
    scales: tuple[Scale, ...] = tuple(Scale)
    golden_rtol: float = 1e-6
    film: Filming | None = None

    def __post_init__(self) -> None:
        sentences = [claim.sentence for claim in self.claims]
        if len(set(sentences)) < len(sentences):
            raise SettingError(
                f"two claims of {self.name} in the same words", "golden numbers are kept by sentence", "Reword one"
            )

    @property
    def seeds(self) -> int:
        """How many seeds its claims ask for."""
        return max((claim.seeds for claim in self.claims), default=1)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """A paper: a folder of the gallery.

    Attributes:
        key: as in a bibliography: the first author, the year, the first word of the title.
        title: of the paper.
        authors: as they are cited.
        exhibits: what is reproduced of it.
        url: where to read it.
    """

    key: str
    title: str
    authors: str
    exhibits: tuple[Exhibit, ...]
    url: str = ""

    def __post_init__(self) -> None:
        names = [exhibit.name for exhibit in self.exhibits]
        if len(set(names)) < len(names):
            raise SettingError(
                f"two exhibits of {self.key} with one name", "a name is an address", "Rename one of them"
            )

    def exhibit(self, name: str) -> Exhibit:
        """The exhibit of that name.

        Raises:
            SettingError: if there is none.
        """
        for exhibit in self.exhibits:
            if exhibit.name == name:
                return exhibit
        raise SettingError(
            f"{self.key}/{name}",
            "the paper has no such exhibit",
            f"Choose from {', '.join(exhibit.name for exhibit in self.exhibits)}",
        )
