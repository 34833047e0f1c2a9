"""The results page: every verdict with its numbers, its figure, its cost, and what differs from the paper."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import final

from edgewise.claims import Ruling, Verdict
from edgewise.reproduction import Finding

_RULINGS: tuple[Ruling, ...] = ("holds", "fails", "undecided")
_MINUTE = 120.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the page says of one exhibit at one scale.

    Attributes:
        finding: its verdicts and their cost.
        paper: title of the paper, with its authors.
        title: what the exhibit shows.
        readme: the README of the paper's folder, of which the page takes the sections on what differs and what
            does not reproduce.
        figure: the address of the figure, relative to the page; None if it was not drawn.
    """

    finding: Finding
    paper: str
    title: str
    readme: str
    figure: str | None


def results_page(entries: Sequence[Entry], *, heading: str = "The literature, re-run") -> str:
    """The page as Markdown: a summary of all papers, then each of them.

    Args:
        entries: in any order; they are put in that of their keys.
        heading: the title of the page.
    """
    ordered = sorted(entries, key=lambda e: (e.finding.key, e.finding.exhibit, e.finding.scale))
    verdicts = [verdict for entry in ordered for verdict in entry.finding.verdicts]
    lines = [
        f"# {heading}",
        "",
        "Each claim is a sentence of a paper with a number that is measured on recorded runs. It *holds* if the "
        "whole interval of the effect over seeds is as expected, *fails* if none of it is, and is *undecided* "
        "otherwise. A claim that fails is shown failing.",
        "",
        f"{_counted(verdicts)}; {_duration(sum(entry.finding.seconds for entry in ordered))} of computing.",
        "",
        "| Paper | Exhibit | Scale | Seeds | Holds | Fails | Undecided | Cost |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
        *(_summary(entry.finding) for entry in ordered),
    ]
    for key, group in groupby(ordered, key=lambda e: e.finding.key):
        lines += _paper(key, list(group))
    return "\n".join(lines) + "\n"


def _summary(finding: Finding) -> str:
    counts = _counts(finding.verdicts)
    numbers = " | ".join(str(counts[ruling]) for ruling in _RULINGS)
    return (
        f"| [{finding.key}](#{finding.key}) | {finding.exhibit} | {finding.scale} | {finding.seeds} "
        f"| {numbers} | {_duration(finding.seconds)} |"
    )


def _paper(key: str, entries: Sequence[Entry]) -> list[str]:
    lines = ["", f"## {key}", "", entries[0].paper]
    for entry in entries:
        finding = entry.finding
        n = f"{finding.seeds} seed{'' if finding.seeds == 1 else 's'}"
        lines += ["", f"### {finding.exhibit} ({finding.scale}): {entry.title}", ""]
        lines += [f"{n}, {_duration(finding.seconds)}.", ""]
        lines += ["| Claim | Measured | Expected | Verdict |", "| --- | ---: | ---: | --- |"]
        lines += [_row(verdict) for verdict in finding.verdicts]
        if entry.figure is not None:
            lines += ["", f"![{entry.title}]({entry.figure})"]
    for section in ("Differs from the paper", "What does not reproduce"):
        if words := _section(entries[0].readme, section):
            lines += ["", f"**{section}.** {words}"]
    return lines


def _row(verdict: Verdict) -> str:
    ruling = verdict.ruling if verdict.ruling == "holds" else f"**{verdict.ruling}**"
    why = f": {verdict.why}" if verdict.why else ""
    cells = (f"{verdict.sentence} ({verdict.source})", verdict.measured, verdict.expected, f"{ruling}{why}")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _section(readme: str, name: str) -> str:
    """The paragraph `name: …`, or the text below the heading `name`, of a README."""
    heading = re.search(rf"^#+ {name}\s*\n(.*?)(?=^#+ |\Z)", readme, re.MULTILINE | re.DOTALL)
    paragraph = re.search(rf"^\**{name}\**[:.]\**\s*(.*?)(?=\n\n|\Z)", readme, re.MULTILINE | re.DOTALL)
    found = heading or paragraph
    return found.group(1).strip() if found else ""


def _counts(verdicts: Sequence[Verdict]) -> Mapping[Ruling, int]:
    return {ruling: sum(verdict.ruling == ruling for verdict in verdicts) for ruling in _RULINGS}


def _counted(verdicts: Sequence[Verdict]) -> str:
    counts = _counts(verdicts)
    return f"{len(verdicts)} claims: " + ", ".join(f"{counts[ruling]} {ruling}" for ruling in _RULINGS)


def _duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < _MINUTE else f"{seconds / 60:.3g} min"
