"""Libraries that come with an extra: each is imported when it is first needed, and missed in one sentence."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from edgewise.foundation import EdgewiseError, first_line


class LibraryError(EdgewiseError, ImportError):
    """A library that an integration stands on is missing, or cannot be imported."""


def library(name: str, extra: str, purpose: str) -> ModuleType:
    """The module `name`, which `pip install 'edgewise[extra]'` brings.

    Args:
        name: the module to import.
        extra: the extra of edgewise that it comes with.
        purpose: what it is needed for, to open the sentence with.

    Raises:
        LibraryError: if it is not installed, or its import fails.
    """
    package = name.partition(".")[0]
    try:
        return import_module(name)
    # Compiled packages that do not fit each other fail with anything, RuntimeError among it.
    except Exception as error:
        if find_spec(package) is None:
            raise LibraryError(
                purpose, f"{package} is not installed", f"Type pip install 'edgewise[{extra}]'"
            ) from error
        raise LibraryError(
            purpose,
            f"{package} is installed but cannot be imported ({first_line(error)})",
            f"Type python -c 'import {name}' to see why, and pip install 'edgewise[{extra}]' to mend it",
        ) from error
