"""Errors as sentences: what was given, why it cannot work, and what to type instead."""

from collections.abc import Sequence

from cyclopts import CycloptsError
from rich.console import Console
from rich.text import Text

FAILED = 1
"""The exit code of an error that nobody wrote a sentence for, and of a check that fails."""

MISTAKE = 2
"""The exit code of an error that says what to type instead."""

INTERRUPTED = 130
"""The exit code of a run ended by Ctrl-C: 128 + SIGINT."""


def complain(error: Exception, tokens: Sequence[str]) -> int:
    """Say on standard error what went wrong, and return the exit code.

    Args:
        error: any exception.
        tokens: the command line, for the hint of what to type.
    """
    from edgewise.foundation import EdgewiseError, first_line

    if isinstance(error, EdgewiseError):
        return _say(error.given, f"{error.why}. {error.fix}.", MISTAKE)
    if isinstance(error, CycloptsError):
        command = " ".join(["edgewise", *tokens[:1]]) if error.command_chain else "edgewise"
        return _say(_one_line(error), f"Type {command} --help.", MISTAKE, joint=" ")
    if isinstance(error, BrokenPipeError):
        # Whoever was reading has read enough.
        return 0
    return _say(
        type(error).__name__, f"{first_line(error)}. Type the same with --debug for the traceback.", FAILED
    )


def _one_line(error: CycloptsError) -> str:
    return " ".join(str(error).split())


def _say(subject: str, rest: str, code: int, joint: str = ": ") -> int:
    sentence = Text.assemble((subject, "bold"), joint, rest)
    Console(stderr=True).print(Text.assemble(("error: ", "bold red"), sentence), soft_wrap=True)
    return code
