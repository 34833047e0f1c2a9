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
    if isinstance(error, CycloptsError):
        command = " ".join(["edgewise", *tokens[:1]]) if error.command_chain else "edgewise"
        return _say(" ".join(str(error).split()), " ", f"Type {command} --help.", MISTAKE)
    from edgewise.foundation import EdgewiseError, first_line

    if isinstance(error, EdgewiseError):
        return _say(error.given, ": ", f"{error.why}. {error.fix}.", MISTAKE)
    hint = "Type the same with --debug for the traceback."
    return _say(type(error).__name__, ": ", f"{first_line(error)}. {hint}", FAILED)


def _say(subject: str, joint: str, rest: str, code: int) -> int:
    console = Console(stderr=True)
    sentence = Text.assemble(("error: ", "bold red"), (subject, "bold"), joint, rest)
    console.print(sentence, soft_wrap=not console.is_terminal)
    return code
