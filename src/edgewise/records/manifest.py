"""The manifest: what was run, with what, where; written once, before the first reading."""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from edgewise.foundation import JSON, RecordError
from edgewise.records.folder import MANIFEST, SERIES, put
from edgewise.records.trouble import explain, explaining

FORMAT_VERSION = 1
"""Raised when a folder written from then on cannot be read by the code before."""

_OURS = ("format_version", "created")


def write_manifest(folder: Path, manifest: Mapping[str, JSON], created: datetime) -> None:
    """Write `manifest` under its version and moment of creation.

    Raises:
        RecordError: if it is not strict JSON, or has one of the two keys the store itself writes.
    """
    if taken := [key for key in _OURS if key in manifest]:
        raise RecordError(
            f"a manifest with the key {taken[0]!r}", "the store writes this key itself", "Choose another name"
        )
    whole = {"format_version": FORMAT_VERSION, "created": created.isoformat(), **manifest}
    try:
        text = json.dumps(whole, indent=1, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise RecordError(
            "a manifest that is not JSON", str(error), "Write it with edgewise.foundation.encode first"
        ) from error
    path = folder / MANIFEST
    with explaining(path, "writing"):
        put(path, lambda unfinished: _write(unfinished, text + "\n"))


def read_manifest(folder: Path) -> dict[str, JSON]:
    """Read the manifest of the run in `folder`.

    Raises:
        RecordError: if there is no such folder, it is not a run, its manifest is damaged, or it was
            written by a newer edgewise.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _not_a_run(folder) from error
    except OSError as error:
        raise explain(error, path, "reading") from error
    except ValueError as error:
        raise _damaged(path, f"it is not JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise _damaged(path, "it is not a JSON object")
    version = manifest.get("format_version")
    if not isinstance(version, int) or not isinstance(manifest.get("created"), str):
        raise _damaged(path, "format_version or created is missing")
    if version > FORMAT_VERSION:
        raise RecordError(
            f"opening {folder}",
            f"its format is version {version}, and this edgewise reads up to version {FORMAT_VERSION}",
            "Type pip install --upgrade edgewise",
        )
    return manifest


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _not_a_run(folder: Path) -> RecordError:
    if not folder.exists():
        return RecordError(f"opening {folder}", "there is no such folder", "Check the path of the run")
    if (folder / SERIES).exists():
        return _damaged(folder / MANIFEST, "it is missing, though the readings are there")
    return RecordError(
        f"opening {folder}",
        f"it holds no {MANIFEST}, so it is not a run",
        "Give the folder of one run, the one that holds run.json",
    )


def _damaged(path: Path, why: str) -> RecordError:
    return RecordError(
        f"reading {path}",
        why,
        "Restore the file from a copy; series.sqlite and the checkpoints beside it can still be read",
    )
