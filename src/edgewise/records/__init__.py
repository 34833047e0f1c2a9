"""The run store: one folder a run, readable while it is written and after any crash.

It knows arrays and names only, so that it outlives the code that filled it.
"""

from edgewise.records.arrays import read_arrays, write_arrays
from edgewise.records.checkpoints import Checkpoint
from edgewise.records.listing import Listing, find_record, list_records
from edgewise.records.provenance import provenance
from edgewise.records.record import Record
from edgewise.records.series import Event, Series
from edgewise.records.writer import RecordWriter

__all__ = [
    "Checkpoint",
    "Event",
    "Listing",
    "Record",
    "RecordWriter",
    "Series",
    "find_record",
    "list_records",
    "provenance",
    "read_arrays",
    "write_arrays",
]
