"""Numbers in a table that every spreadsheet opens: a row a step, a column a number."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO, final

from edgewise.foundation import SettingError

_STEP = "step"


@final
class CSVFile:
    """A file of comma-separated values that is whole after every row.

    Its first column is the step; a number that was not read is an empty cell. A number that comes for the
    first time makes a new column: the file is written again beside itself and put in its own place in one go,
    so that a process killed at any moment leaves the old table or the new one. Numbers that come in several
    calls for one step share its row. A file that is there already goes on where it ends; after a resume a step
    may stand there twice, and the later row counts.

    Args:
        path: the file; folders that are missing are made.

    Raises:
        SettingError: if `path` holds something that this class has not written, or cannot be written.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "watch.csv")
        >>> table = CSVFile(path)
        >>> table(1, {"edge_ratio": 0.5})
        >>> table(2, {"edge_ratio": 0.75, "update_norm": 0.25})
        >>> path.read_text().split()
        ['step,edge_ratio,update_norm', '1,0.5,', '2,0.75,0.25']
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._last: dict[str, str] = {}
        self._begins = 0
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._columns = self._continue()
        except (OSError, UnicodeError) as error:
            raise SettingError(
                f"readings in {self._path}", f"the file cannot be used: {error}", "Type another path"
            ) from error

    def __repr__(self) -> str:
        return f"CSVFile({str(self._path)!r})"

    def __call__(self, step: int, numbers: Mapping[str, float]) -> None:
        """Add a row, or fill up the last one if it is of the same step."""
        row = {_STEP: str(step), **{name: repr(float(value)) for name, value in numbers.items()}}
        again = self._last.get(_STEP) == row[_STEP]
        self._last = {**self._last, **row} if again else row
        fresh = [name for name in row if name not in self._columns]
        if fresh:
            self._columns = [*self._columns, *fresh]
            kept = self._rows()
            self._rewrite([*(kept[:-1] if again else kept), self._last])
            return
        with self._path.open("r+", newline="", encoding="utf-8") as file:
            file.seek(self._begins if again else 0, io.SEEK_SET if again else io.SEEK_END)
            self._begins = file.tell()
            self._writer(file).writerow(self._last)
            file.truncate()

    def _continue(self) -> list[str]:
        """The columns of the file, begun if it is not there, cut where a row was half written."""
        if not self._path.exists() or not self._path.stat().st_size:
            self._columns = [_STEP]
            self._rewrite([])
            return self._columns
        text = self._path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        columns = next(csv.reader(whole.decode("utf-8").splitlines()), [])
        if columns[:1] != [_STEP]:
            raise SettingError(
                f"readings in {self._path}",
                f"the file is there and its first column is not {_STEP!r}, so something else has written it",
                "Type another path",
            )
        if len(whole) < len(text):
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        return columns

    def _rows(self) -> list[dict[str, str]]:
        with self._path.open(newline="", encoding="utf-8") as file:
            return [dict(row) for row in csv.DictReader(file)]

    def _rewrite(self, rows: Sequence[Mapping[str, str]]) -> None:
        unfinished = self._path.with_name(f".{self._path.name}.unfinished")
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = self._writer(file)
            writer.writeheader()
            for row in rows:
                self._begins = file.tell()
                writer.writerow(row)
        unfinished.replace(self._path)

    def _writer(self, file: TextIO) -> "csv.DictWriter[str]":
        return csv.DictWriter(file, self._columns, restval="", lineterminator="\n")
