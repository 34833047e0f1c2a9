"""Reading a pickle of plain values and byte arrays, and nothing else.

A pickle is a program: `pickle.load` on a file from a stranger runs what the stranger wrote. CIFAR-10 is
distributed as pickles, so they are read by an unpickler that knows four names, those by which NumPy writes
an array down, and answers each of them with a stand-in of our own. Not even NumPy's own unpickling runs.
"""

import io
import pickle  # noqa: TID251 - the one place that reads pickles, through the whitelist below
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, NoReturn, final

import numpy as np
from numpy.typing import NDArray

from edgewise.foundation import DataError


@final
class ByteArray:
    """An array of bytes as a pickle holds it; `array` is None until its contents have been read."""

    def __init__(self, *ignored: Any) -> None:
        # NumPy writes an empty array first (type, shape, typecode) and then its state, which says it all.
        self.array: NDArray[np.uint8] | None = None

    def __setstate__(self, state: tuple[int, tuple[int, ...], "_ByteType", bool, bytes]) -> None:
        _, shape, entries, fortran, content = state
        if not isinstance(entries, _ByteType) or not isinstance(content, bytes):
            raise _refusal("an array of something else than bytes")
        if prod(shape) != len(content):
            raise ValueError(f"an array of shape {shape} with {len(content)} bytes")
        self.array = np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran else "C")


def read_pickle(content: bytes, path: Path) -> Any:
    """Unpickle `content` if it holds only numbers, strings, containers and arrays of bytes.

    Strings of Python 2 arrive as bytes, arrays as `ByteArray`.

    Args:
        content: the bytes of the file.
        path: the file, for the error.

    Raises:
        DataError: if the pickle names anything else (nothing is executed), or is truncated or corrupt.
    """
    try:
        return _Restricted(io.BytesIO(content), encoding="bytes").load()
    except DataError as error:
        raise DataError(f"{path}", error.why, error.fix) from None
    # A corrupt pickle is an arbitrary program for the unpickler: it can fail with any exception at all.
    except Exception as error:
        raise DataError(
            f"{path}",
            f"it is truncated, corrupt or not a pickle ({type(error).__name__}: {error})",
            "Delete it and download the data set again",
        ) from error


@final
class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        match module, name:
            # numpy.core moved to numpy._core in NumPy 2.
            case "numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct":
                return ByteArray
            case "numpy", "ndarray":
                return None  # only ever named as the first argument of _reconstruct
            case "numpy", "dtype":
                return _ByteType
            case "_codecs", "encode":
                # A fresh object each time: a pickle can set attributes on what it is given.
                return partial(_latin1)
            case _:
                raise _refusal(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise _refusal("an object outside the file")


@final
class _ByteType:
    """The type `u1`, the only one."""

    def __init__(self, code: str | bytes, *ignored: Any) -> None:
        if code not in ("u1", b"u1"):
            raise _refusal(f"an array of type {code!r}")

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like, of which single bytes have none."""


def _latin1(text: str, encoding: str | bytes) -> bytes:
    """How Python 3 writes bytes in the protocol of Python 2."""
    if encoding not in ("latin1", b"latin1"):
        raise _refusal(f"the codec {encoding!r}")
    return text.encode("latin1")


def _refusal(what: str) -> DataError:
    return DataError(
        "a pickle",
        f"it asks for {what}, which a data file has no need of; nothing in it was executed",
        "Do not use this file: get the data set from its official source, for example with edgewise data",
    )
