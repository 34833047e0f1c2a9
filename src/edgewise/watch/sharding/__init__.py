"""Models that several processes share: what lies where, and how all of them come to read together."""

from edgewise.watch.sharding.agreement import Agreement, ElsewhereError
from edgewise.watch.sharding.shards import Shards, local
from edgewise.watch.sharding.timetable import Timetable

__all__ = ["Agreement", "ElsewhereError", "Shards", "Timetable", "local"]
