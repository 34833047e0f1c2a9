"""How large a reproduction is: three sizes of every recipe."""

from enum import StrEnum
from typing import final


@final
class Scale(StrEnum):
    """The size at which a paper is reproduced."""

    SMOKE = "smoke"
    """Seconds: enough to run every line, compared with golden numbers."""

    LAPTOP = "laptop"
    """Minutes on two cores: enough for the claims to be judged."""

    PAPER = "paper"
    """The setting of the paper; on a GPU."""
