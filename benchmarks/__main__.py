"""The menu: `python -m benchmarks [NAME …] [--quick] [--write]`."""

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import torch

from benchmarks.table import Table, Target

NAMES = (
    "hvp",
    "tracking",
    "run",
    "memory",
    "store",
    "flows",
    "leaderboard",
    "central",
    "verdicts",
    "maps",
    "watch",
)
FOLDER = Path(__file__).parent
RESULTS, README = FOLDER / "results.json", FOLDER / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def main() -> None:
    """Measure what is asked for, print it, and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}; none means all")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works; nothing is kept")
    parser.add_argument("--write", action="store_true", help="write the tables into benchmarks/README.md too")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch; 2 by default")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in NAMES:
            parser.error(f"there is no benchmark {name!r}; choose from {', '.join(NAMES)}")
    torch.set_num_threads(arguments.threads)
    for name in arguments.names or NAMES:
        since = time.monotonic()
        load = os.getloadavg()[0]
        tables = import_module(f"benchmarks.{name}").measure(quick=arguments.quick)
        print("\n\n".join(table.markdown() for table in tables), flush=True)
        print(f"\n({time.monotonic() - since:.0f} s)\n", file=sys.stderr)
        if not arguments.quick:
            kept = results()  # read late: others may be measuring something else
            kept[name] = {"machine": machine(load), "tables": [asdict(table) for table in tables]}
            RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    if arguments.write and not arguments.quick:
        write(results())


def results() -> dict[str, dict]:
    """What was measured last, by name."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def machine(load: float) -> str:
    """What it was measured on, in words."""
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {torch.get_num_threads()} threads, float32, "
        f"Python {platform.python_version()}, PyTorch {torch.__version__}, load average {load:.1f} at the start"
    )


def write(known: dict[str, dict]) -> None:
    """Put the results between the marks in the README."""
    parts = []
    for name in NAMES:
        if name in known:
            tables = [_table(**table).markdown() for table in known[name]["tables"]]
            parts += [*tables, f"Measured on: {known[name]['machine']}."]
    text = README.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    README.write_text(before + BEGIN + "\n\n" + "\n\n".join(parts) + "\n\n" + END + after)


def _table(targets: list[dict], **fields: object) -> Table:
    return Table(**fields, targets=[Target(**target) for target in targets])


if __name__ == "__main__":
    main()
