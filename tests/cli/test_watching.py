"""What a run looks like while it goes on."""

import io
import math
from itertools import pairwise

import pytest
from rich.console import Console

from edgewise.cli.table import plus_minus, table
from edgewise.cli.watching import LiveTable, Milestones, PlainLines, nice, watcher
from edgewise.dynamics import Progress, Readings


def row(step: int, *, every: int = 1, converged: float = 1.0) -> Readings:
    always: dict[str, float | list[float]] = {"loss": 1 / (step + 1), "accuracy": 0.5}
    if step % every:
        return always
    return {
        **always,
        "sharpness": [14.0 + step / 1000, 9.0, 8.0, 7.0],
        "sharpness_bound": [0.002, 0.1, 0.1, 0.1],
        "sharpness_converged": [converged, 1.0, 1.0, 1.0],
        "edge_ratio": [1.0 + step / 1000, 0.5, 0.5, 0.5],
    }


def shown(
    progress: type[Progress], steps: int, *, terminal: bool, every: int = 1, names: tuple[str, ...] = ("gd",)
) -> str:
    file = io.StringIO()
    watch = progress(Console(file=file, force_terminal=terminal, width=100, color_system=None))
    watch.begin(0, steps)
    for step in range(steps + 1):
        watch.row(step, {name: row(step, every=every) for name in names})
    watch.end()
    return file.getvalue()


def test_a_terminal_gets_a_table_and_a_bar_with_the_time_left() -> None:
    last = shown(LiveTable, 50, terminal=True).rsplit("\x1b[2K", 1)[-1]
    for word in ("step", "loss", "accuracy", "sharpness", "edge ratio", "14.050 ± 0.002", "9, 8 …", "1.050"):
        assert word in last, word
    assert "50/50" in last and "time left" in last


def test_elsewhere_there_are_lines() -> None:
    lines = shown(PlainLines, 1000, terminal=False).splitlines()
    assert lines[0].split() == [
        "step",
        "loss",
        "accuracy",
        "sharpness",
        "next",
        "eigenvalues",
        "edge",
        "ratio",
        "time",
        "left",
    ]
    assert [line.split()[0] for line in lines[1:]] == [f"{step:,}" for step in range(0, 1001, 50)]
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].split()[-2:] == ["2.000", "0:00"]


def test_lines_are_those_with_readings() -> None:
    lines = shown(PlainLines, 100, terminal=False, every=7).splitlines()
    assert all("±" in line for line in lines[1:-1])
    # The last row is shown as it is.
    assert lines[-1].split()[:4] == ["100", "0.009901", "50.0%", "–"]


def test_several_processes_are_told_apart() -> None:
    assert shown(PlainLines, 1, terminal=False, names=("gd", "heavy")).count("heavy") == 2
    assert "process" in shown(LiveTable, 1, terminal=True, names=("gd", "heavy"))


def test_the_console_decides() -> None:
    assert isinstance(watcher(Console(file=io.StringIO(), force_terminal=True)), LiveTable)
    assert isinstance(watcher(Console(file=io.StringIO())), PlainLines)


def test_an_unconverged_value_is_marked_and_explained() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(table([(0, {"gd": row(0)}), (1, {"gd": row(1, converged=0.0)})]))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "14.001 ± 0.002 (!)" in text
    assert "14.000 ± 0.002 (!)" not in text
    assert "(!) the error bound is wider than was asked for" in text


def test_what_was_not_read_is_a_dash() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(table([(0, {"gd": {"loss": math.nan, "sharpness": [math.nan, math.nan]}})]))
    assert console.file.getvalue().splitlines()[-2].split() == ["0", *["–"] * 5]  # type: ignore[attr-defined]


@pytest.mark.parametrize("steps", [0, 1, 7, 99, 1000, 12_345])
@pytest.mark.parametrize("every", [1, 7, 10])
def test_milestones_are_few_and_evenly_spread(steps: int, every: int) -> None:
    milestones = Milestones()
    for step in range(steps + 1):
        milestones.add(step, {"gd": row(step, every=every)})
    at = [step for step, _ in milestones.lines]
    assert at[0] == 0 and len(at) <= 12
    assert len(at) >= min(steps // every + 1, 3)
    assert all(step % every == 0 for step in at)
    gaps = [b - a for a, b in pairwise(at)]
    assert not gaps or max(gaps) - min(gaps) < 2 * every
    if every == 1:
        assert len(set(gaps)) <= 1


def test_milestones_of_a_resumed_run_wait_for_a_reading() -> None:
    milestones = Milestones()
    for step in range(437, 470):
        milestones.add(step, {"gd": row(step, every=10)})
    assert [step for step, _ in milestones.lines] == [440, 450, 460]


@pytest.mark.parametrize(("number", "answer"), [(0, 1), (1, 1), (1.5, 2), (3, 5), (6, 10), (101, 200), (200, 200)])
def test_nice_numbers(number: float, answer: int) -> None:
    assert nice(number) == answer


@pytest.mark.parametrize(
    ("value", "bound", "text"),
    [
        (14.3141, 0.0213, "14.31 ± 0.02"),
        (14.3141, 0.6, "14.3 ± 0.6"),
        (14.3141, 3.0, "14 ± 3"),
        (14.3141, 0.00002, "14.3141 ± 2e-05"),
        (-0.0123, 0.001, "-0.012 ± 0.001"),
        (123456.7, 20.0, "123457 ± 20"),
        (1.5e-7, 1e-9, "1.50000e-07 ± 1e-09"),
        (2.0, math.inf, "2"),
        (2.0, 0.0, "2"),
        (math.nan, 1.0, "nan"),
    ],
)
def test_a_value_is_written_to_the_first_digit_of_its_bound(value: float, bound: float, text: str) -> None:
    assert plus_minus(value, bound) == text
