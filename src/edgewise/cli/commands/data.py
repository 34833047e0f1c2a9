"""`edgewise data`: which data sets are here; with the name of one, download it."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgewise.data import Data

_REASON = 80  # characters


def data(name: str | None = None, /, *, folder: Path | None = None) -> int:
    """List the data sets: which are here, where, with which checksums. With a name, download that one.

      edgewise data
      edgewise data cifar10
      edgewise data mnist --folder ~/data

    Args:
        name: what to download: cifar10, fashion-mnist, mnist or tinyshakespeare.
        folder: where to look, or to download to; by default EDGEWISE_DATA (only to look) and the user's cache.
    """
    return _list(folder) if name is None else _download(name, folder)


def _list(folder: Path | None) -> int:
    from textwrap import shorten

    from rich.text import Text

    from edgewise.cli.report import facts, output
    from edgewise.data import cache_folder
    from edgewise.foundation import DataError

    console = output()
    for name, source in _sources(folder).items():
        try:
            loaded = source.load()
            rows = [("source", loaded.source), ("checksum", f"sha256:{loaded.checksum}")]
            state = Text("here", "green")
        except DataError as error:
            rows = [("because", shorten(error.why, _REASON, placeholder=" …")), ("to do", error.fix)]
            state = Text("not here", "yellow")
        console.print(Text.assemble((name, "bold"), "  ", state))
        facts(console, *rows, indent=2)
    facts(console, ("cache", str(folder or cache_folder())))
    return 0


def _sources(folder: Path | None) -> "dict[str, Data]":
    """Each source reading as little as its checksum needs."""
    from edgewise.data import CIFAR10, MNIST, CharacterText, Digits, FashionMNIST

    where = None if folder is None else str(folder.expanduser())
    text = None if folder is None else str(folder.expanduser() / "tinyshakespeare" / "input.txt")
    return {
        "digits": Digits(n=1),
        "cifar10": CIFAR10(n=1, standardize=None, folder=where),
        "mnist": MNIST(n=1, standardize=None, folder=where),
        "fashion-mnist": FashionMNIST(n=1, standardize=None, folder=where),
        "tinyshakespeare": CharacterText(n=1, path=text),
    }


def _download(name: str, folder: Path | None) -> int:
    from edgewise.cli.downloading import DownloadBar
    from edgewise.cli.report import facts, output, watched
    from edgewise.data import download

    with DownloadBar(watched(), name) as bar:
        place = download(name, folder, bar)
    facts(output(), (name, f"downloaded and checked, in {place}"))
    return 0
