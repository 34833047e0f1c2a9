"""Fetching the public data sets, each file checked against its known checksum."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from edgewise.data.cache import VARIABLE, cache_folder
from edgewise.foundation import DataError, SettingError


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A file on the network.

    Attributes:
        url: where it is.
        checksum: `algorithm:hexadecimal`, as its authors (or the libraries that use it) publish it.
        file: where it goes below the data folder.
        unpack: whether it is an archive whose contents go beside it.
    """

    url: str
    checksum: str
    file: str
    unpack: bool = False


_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"


def _idx(base: str, folder: str, *checksums: str) -> tuple[Remote, ...]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return tuple(
        Remote(url=f"{base}{name}-ubyte.gz", checksum=f"md5:{md5}", file=f"{folder}/{name}-ubyte.gz")
        for name, md5 in zip(names, checksums, strict=True)
    )


REMOTES: Mapping[str, tuple[Remote, ...]] = {
    "cifar10": (
        Remote(
            url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            checksum="sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            file="cifar-10-python.tar.gz",
            unpack=True,
        ),
    ),
    "fashion-mnist": _idx(
        _FASHION,
        "fashion-mnist",
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    "mnist": _idx(
        _MNIST,
        "mnist",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    "tinyshakespeare": (
        Remote(
            url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            checksum="sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            file="tinyshakespeare/input.txt",
        ),
    ),
}
"""The data sets that can be downloaded, and their files."""


def download(dataset: str, folder: str | Path | None = None, progress: Any | None = None) -> Path:
    """Fetch a data set into a folder, unless it is there already, and check it.

    Args:
        dataset: a key of `REMOTES`.
        folder: where to; None is edgewise's folder in the user's cache, where the loaders look.
        progress: an object with `total`, `update(bytes)`, `reset()` and `close()`, told about each file.

    Returns:
        The folder.

    Raises:
        SettingError: if there is no such data set.
        DataError: if a file cannot be fetched or written, or is not the expected one.
    """
    if dataset not in REMOTES:
        raise SettingError(
            f"the data set {dataset!r}", "there is no download of that name", f"Choose from {', '.join(REMOTES)}"
        )
    import pooch  # needed only when something is downloaded

    target = cache_folder() if folder is None else Path(folder).expanduser()
    for remote in REMOTES[dataset]:
        path = target / remote.file
        try:
            with _quiet(pooch.get_logger()):
                pooch.retrieve(
                    remote.url,
                    remote.checksum,
                    fname=path.name,
                    path=path.parent,
                    processor=pooch.Untar(extract_dir=".") if remote.unpack else None,
                    downloader=pooch.HTTPDownloader(progressbar=progress or False),
                )
        # A wrong checksum is a ValueError; everything about the network and the disk is an OSError.
        except (OSError, ValueError) as error:
            raise DataError(
                f"{remote.url} into {path}",
                f"it could not be downloaded ({error})",
                f"Try again, or put the file there by hand, or set {VARIABLE} to a folder that has it",
            ) from error
    return target


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Without the announcements on the terminal."""
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
