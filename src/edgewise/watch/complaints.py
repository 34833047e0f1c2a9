"""What a watch could not do, said once."""

import sys
import warnings
from typing import final

from edgewise.foundation import EdgewiseError, first_line


class WatchWarning(UserWarning):
    """Something that the watch could not do; the training is not concerned."""


@final
class Complaints:
    """Failures on their way to the reader: one warning for each cause, however often it is met."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def about(self, what: str, error: Exception) -> None:
        """Say what the watch goes on without, and why; nothing if that has been said.

        Args:
            what: `the critical sharpness`, for example.
            error: what happened.
        """
        if isinstance(error, WatchWarning):  # this reader has made errors of warnings
            raise error
        root: BaseException = error
        while root.__cause__ is not None:
            root = root.__cause__
        # Parts that fail for one reason say it once, and so does one whose reason has other numbers each time.
        causes = {f"{type(root).__name__}: {root}", f"{what}: {type(error).__name__}"}
        if causes & self._said:
            return
        self._said |= causes
        said = str(error) if isinstance(error, EdgewiseError) else f"{type(error).__name__}: {first_line(error)}."
        # Up the stack to the reader's own line.
        level, frame = 1, sys._getframe()
        while frame.f_back is not None and str(frame.f_globals.get("__name__")).split(".")[0] == "edgewise":
            level, frame = level + 1, frame.f_back
        warnings.warn(f"edgewise.Watch goes on without {what}. {said}", WatchWarning, stacklevel=level)
