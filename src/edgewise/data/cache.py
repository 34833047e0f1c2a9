"""Where data files are looked for.

In this order: the folder given by the user; else the folder named by the environment variable
`EDGEWISE_DATA`; else edgewise's folder in the user's cache, where `download` puts what it fetches.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from edgewise.foundation import DataError

VARIABLE = "EDGEWISE_DATA"
"""The environment variable that names the folder of data sets."""


def cache_folder() -> Path:
    """Edgewise's folder in the user's cache; it need not exist."""
    import pooch  # only for its knowledge of where caches lie on each system

    return Path(pooch.os_cache("edgewise"))


def roots(folder: str | Path | None = None) -> tuple[Path, ...]:
    """The folders to look in, in order: the given one alone, or `EDGEWISE_DATA` and the cache."""
    if folder is not None:
        return (Path(folder).expanduser(),)
    named = os.environ.get(VARIABLE)
    return (Path(named).expanduser(), cache_folder()) if named else (cache_folder(),)


def find(what: str, names: Sequence[str], folder: str | Path | None, *, dataset: str) -> Path:
    """The first of `names` that exists below one of the roots.

    Args:
        what: the data set in words, for the error.
        names: paths relative to a root, in order of preference.
        folder: where the user says it is; None looks in the usual places.
        dataset: what `download` calls it.

    Raises:
        DataError: if none of them exists anywhere.
    """
    places = roots(folder)
    for root in places:
        for name in names:
            if (root / name).exists():
                return root / name
    raise DataError(
        f"{what} in {' or '.join(map(str, places))}",
        f"there is no {' or '.join(names)}",
        f"Type edgewise data {dataset} to download it, or set {VARIABLE} to the folder that holds {names[0]}",
    )


def read_bytes(path: Path, what: str) -> bytes:
    """All bytes of a file.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            str(path),
            f"{what} cannot be read ({error.strerror or error})",
            "Check that the file is there and that you may read it, or download it again",
        ) from error
