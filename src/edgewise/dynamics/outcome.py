"""How a process ended, in words."""

from dataclasses import dataclass
from typing import final

KINDS = ("finished", "goal", "diverged", "non-finite", "failed", "ended", "interrupted")


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """Why a process stopped.

    Attributes:
        kind: "finished" (all steps taken), "goal" (an event was reached), "diverged", "non-finite",
            "failed" (a method or flow that could not go on), "ended" (a midpoint, with its process) or
            "interrupted".
        step: the step at which it stopped.
        sentence: the reason in words.
    """

    kind: str
    step: int
    sentence: str

    def __str__(self) -> str:
        return self.sentence
