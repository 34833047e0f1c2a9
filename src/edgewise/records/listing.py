"""The runs below a folder, and which of them a reader means."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import final

from edgewise.foundation import RecordError
from edgewise.records.folder import MANIFEST, SERIES
from edgewise.records.record import Record
from edgewise.records.trouble import explaining

# More than a reader would compare by eye.
_SHOWN = 10


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The runs of one store.

    Attributes:
        records: those that open, newest last.
        broken: why each of the others does not.
    """

    records: tuple[Record, ...]
    broken: tuple[RecordError, ...]


def list_records(root: str | Path) -> Listing:
    """The runs directly below `root`; folders that are no runs are left out.

    Raises:
        RecordError: if `root` cannot be read.
    """
    records, broken = [], []
    with explaining(Path(root), "listing the runs in"):
        folders = sorted(f for f in Path(root).iterdir() if f.is_dir() and not f.name.startswith("."))
    for folder in folders:
        if (folder / MANIFEST).exists() or (folder / SERIES).exists():
            try:
                records.append(Record.open(folder))
            except RecordError as complaint:
                broken.append(complaint)
    records.sort(key=lambda record: (record.manifest["created"], record.name))
    return Listing(records=tuple(records), broken=tuple(broken))


def find_record(text: str | Path, root: str | Path) -> Record:
    """The run that `text` means: a folder, `latest`, or any part of a name that only one run below `root` has.

    A name that begins with `text` is preferred to one that has it further on.

    Raises:
        RecordError: if none or several match (the sentence lists them), or the run does not open.
    """
    if os.sep in str(text) or (Path(text) / MANIFEST).exists():
        return Record.open(text)
    if (Path(root) / text).is_dir():
        return Record.open(Path(root) / text)
    records = {record.name: record for record in list_records(root).records}
    names = list(records)
    if not names:
        raise RecordError(f"the run {text} in {root}", "there are no runs", "Make one with edgewise run")
    if text == "latest":
        return records[names[-1]]
    beginning = [name for name in names if name.startswith(str(text))]
    found = beginning or [name for name in names if str(text) in name]
    if len(found) == 1:
        return records[found[0]]
    shown = (found or names)[-_SHOWN:]
    raise RecordError(
        f"the run {text!r} in {root}",
        f"{len(found) or 'no'} runs have this in their names",
        f"Choose from {', '.join(shown)}" + (" (the newest)" if len(found or names) > _SHOWN else ""),
    )
