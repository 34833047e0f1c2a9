"""What the operating system, SQLite and safetensors complain of, as sentences.

The same trouble arrives under three names (a full disk is ENOSPC, SQLITE_FULL or "os error 28"); it
is told once, with the file or folder it happened to.
"""

import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from edgewise.foundation import RecordError

_FULL = (
    "the disk is full, or a quota or file-size limit is reached",
    "Free some space (df -h shows where) and resume the run; what was written before is kept",
)
_REFUSED = (
    "writing there is not permitted",
    "Choose a folder you may write to, with store= or --store",
)
_MISSING = ("it does not exist", "Check the path")
_NO_FOLDER = (
    "a file lies where a folder is needed",
    "Choose another folder, with store= or --store, or move the file away",
)
_UNOPENED = (
    "it does not exist, or opening it is not permitted",
    "Check the path, and that you may read and write in its folder",
)
_CORRUPT = (
    "its contents are damaged",
    "Restore the file from a copy; the other files of the run folder can still be read",
)
_BUSY = (
    "another program keeps it locked",
    "Close the program that has it open (a database browser, a backup) and try again",
)

_BY_ERRNO = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _FULL),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _REFUSED),
    **dict.fromkeys((errno.ENOENT,), _MISSING),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), _NO_FOLDER),
}
_BY_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _REFUSED,
    sqlite3.SQLITE_PERM: _REFUSED,
    sqlite3.SQLITE_CANTOPEN: _UNOPENED,
    sqlite3.SQLITE_NOTADB: _CORRUPT,
    sqlite3.SQLITE_CORRUPT: _CORRUPT,
    # A table or column that is not there: the file is empty or was cut before its schema.
    sqlite3.SQLITE_ERROR: _CORRUPT,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
}

Trouble = (OSError, sqlite3.Error, SafetensorError)
"""The exceptions that `explain` can put into words."""


def explain(error: Exception, path: Path, doing: str) -> RecordError:
    """The sentence for `error`, which happened while `doing` something to `path`."""
    match error:
        case sqlite3.Error():
            # The low byte is the family; the rest says which of its members.
            found = _BY_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
            detail = str(error)
        case OSError():
            found = _BY_ERRNO.get(error.errno or 0)
            detail = error.strerror or str(error)
        case _:
            code = re.search(r"os error (\d+)", str(error))
            found = _BY_ERRNO.get(int(code[1])) if code else _CORRUPT
            detail = os.strerror(int(code[1])) if code else str(error)
    why, fix = found or ("the disk refused", "Look at df -h and the system's log, then try again")
    return RecordError(f"{doing} {path}", f"{why} ({detail})", fix)


@contextmanager
def explaining(path: Path, doing: str) -> Iterator[None]:
    """Turn trouble inside into a RecordError about `path`."""
    try:
        yield
    except Trouble as error:
        raise explain(error, path, doing) from error
