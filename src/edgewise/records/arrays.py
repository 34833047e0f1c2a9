"""The record of a computation: labelled arrays in one NetCDF file, with a manifest that vouches for it.

20260131…/
    run.json      the manifest: what was computed, and the checksum of the arrays
    arrays.nc     NetCDF 3, which every tool of the field reads
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import xarray as xr

from edgewise.foundation import JSON, RecordError, first_line
from edgewise.records.folder import MANIFEST, put
from edgewise.records.manifest import read_manifest, write_manifest
from edgewise.records.trouble import explaining

ARRAYS = "arrays.nc"


def write_arrays(folder: Path, dataset: xr.Dataset, manifest: Mapping[str, JSON]) -> None:
    """Keep `dataset` in `folder`; the manifest is written last, so that a folder that has one is whole.

    Args:
        folder: made if it is missing; what it held is replaced.
        dataset: arrays of floats, integers below 2³¹, truth values and text, with their coordinates.
        manifest: what `run.json` shall say beside its version, the time of creation and the checksum.

    Raises:
        RecordError: if the folder cannot be written, or the file cannot hold such arrays.
    """
    path = folder / ARRAYS
    if empty := [str(name) for name, size in dataset.sizes.items() if not size]:
        raise RecordError(
            f"writing {path}",
            f"its dimension {empty[0]!r} has no length, which the file takes for one without end",
            f"Leave it out, with dataset.drop_dims({empty[0]!r})",
        )
    with explaining(path, "writing"):
        folder.mkdir(parents=True, exist_ok=True)
        # Old arrays beside a new manifest, or the other way round, would pass for damage.
        (folder / MANIFEST).unlink(missing_ok=True)
        try:
            put(path, lambda unfinished: dataset.to_netcdf(unfinished, engine="scipy"))
        except (TypeError, ValueError) as error:
            raise RecordError(
                f"writing {path}",
                first_line(error),
                "Make the arrays of floats, integers below 2³¹, truth values and text",
            ) from error
    write_manifest(folder, {**manifest, "checksum": _checksum(path)}, datetime.now(UTC))


def read_arrays(folder: Path) -> xr.Dataset:
    """Read back what `write_arrays` wrote; integers come as int64, as they are computed with.

    Raises:
        RecordError: if there is no such record, or its arrays are not those that were written.
    """
    manifest = read_manifest(folder)
    path = folder / ARRAYS
    with explaining(path, "reading"):
        found = _checksum(path)
    if found != manifest.get("checksum"):
        raise RecordError(
            f"reading {path}",
            "its checksum is not the one in the manifest: the file is damaged",
            "Delete the folder and compute it again",
        )
    dataset: xr.Dataset = xr.load_dataset(path, engine="scipy")
    # The file holds 32 bits, whose products would overflow.
    integers = {name: x for name, x in dataset.variables.items() if x.dtype.kind == "i"}
    return dataset.assign({name: x.astype(np.int64) for name, x in integers.items()})


def _checksum(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
