"""What can go wrong, as sentences.

Every error of edgewise is built from three parts: what was **given**, **why** it cannot work, and
what to type instead (**fix**). The parts are kept, so that a command line or a page can lay them out;
`str(error)` is the sentence.

    EdgewiseError
    ├── SettingError       an argument outside its range, or two that exclude each other
    ├── ObjectiveError     a loss that cannot be evaluated: data, module and criterion do not fit
    │   └── DerivativeError    a derivative that PyTorch gets wrong, or cannot take
    ├── DataError          a file or folder that is missing, corrupt or not what it claims to be
    ├── FlowError          a flow that cannot go on: its equations have no solution here
    ├── RecordError        a run folder that cannot be written, read or resumed
    ├── EvidenceError      a record that does not hold what a claim would be judged on
    └── NounError          a stored recipe that names something this installation does not have
"""

from textwrap import shorten


class EdgewiseError(Exception):
    """Base of all errors raised on purpose by edgewise.

    Args:
        given: what was given, in the reader's words.
        why: why it cannot work.
        fix: what to type instead.
    """

    def __init__(self, given: str, why: str, fix: str) -> None:
        super().__init__(given, why, fix)
        self.given, self.why, self.fix = given, why, fix

    def __str__(self) -> str:
        return f"{self.given}: {self.why}. {self.fix}."


class SettingError(EdgewiseError, ValueError):
    """An argument is outside its range, or two arguments exclude each other."""


class ObjectiveError(EdgewiseError, ValueError):
    """A module, a criterion and data do not make a loss L(w) that can be evaluated twice alike."""


class DerivativeError(ObjectiveError):
    """A derivative that PyTorch gets wrong, or cannot take, through a layer of this module."""


class DataError(EdgewiseError, ValueError):
    """A data file or folder is missing, corrupt, or not what it claims to be."""


class FlowError(EdgewiseError, ArithmeticError):
    """A flow cannot go on from where it is; its process ends there and says why."""


class RecordError(EdgewiseError, RuntimeError):
    """A run folder cannot be written, read or resumed."""


class EvidenceError(EdgewiseError, LookupError):
    """A record does not hold what a claim would be judged on; its verdict is undecided."""


class NounError(EdgewiseError, LookupError):
    """A stored recipe names something that this installation does not have."""


def first_line(error: BaseException) -> str:
    """What somebody else's error says, short enough to stand in a sentence."""
    line = next(iter(str(error).splitlines()), type(error).__name__)
    return shorten(line, 160, placeholder=" …").rstrip(".")
