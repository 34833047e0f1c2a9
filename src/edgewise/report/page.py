"""The results page: every verdict with its numbers, its figure, its cost, and what differs from the paper."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import final

from edgewise.claims import Ruling, Verdict
from edgewise.reproduction import Finding

_RULINGS: tuple[Ruling, ...] = ("holds", "fails", "undecided")
# Seconds from which on one speaks of minutes, and of hours.
_MINUTE, _HOUR = 120.0, 7200.0
_BLOCK = re.compile(r"[-*+] |\d+[.)] |\||```|#")


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
    lines = ["", f"## {key}", "", _line(entries[0].paper)]
    for entry in entries:
        finding = entry.finding
        n = f"{finding.seeds} seed{'' if finding.seeds == 1 else 's'}"
        lines += ["", f"### {finding.exhibit} ({finding.scale}): {_plain(entry.title)}", ""]
        lines += [f"{n}, {_duration(finding.seconds)}.", ""]
        lines += ["| Claim | Measured | Expected | Verdict |", "| --- | ---: | ---: | --- |"]
        lines += [_row(verdict) for verdict in finding.verdicts]
        if entry.figure is not None:
            lines += ["", f"![{_plain(entry.title)}]({entry.figure})"]
    for section in ("Differs from the paper", "What does not reproduce"):
        if words := _section(entries[0].readme, section):
            # A list, a table or a heading begins a line of its own.
            joint = "\n\n" if _BLOCK.match(words) else " "
            lines += ["", f"**{section}.**{joint}{words}"]
    return lines


def _row(verdict: Verdict) -> str:
    ruling = verdict.ruling if verdict.ruling == "holds" else f"**{verdict.ruling}**"
    why = f": {_plain(verdict.why)}" if verdict.why else ""
    claim = _plain(f"{verdict.sentence} ({verdict.source})")
    return f"| {claim} | {_plain(verdict.measured)} | {_plain(verdict.expected)} | {ruling}{why} |"


def _plain(text: str) -> str:
    """Words that mean themselves, in a line of Markdown or a cell of its tables."""
    return re.sub(r"([\\`*_\[\]<|])", r"\\\1", _line(text))


def _line(text: str) -> str:
    return " ".join(text.split())


def _section(readme: str, name: str) -> str:
    """The paragraph `name: …`, or the text below the heading `name`, of a README."""
    heading = re.search(rf"^(?P<level>#+) {name}[ \t]*\n(?P<text>.*)", readme, re.MULTILINE | re.DOTALL)
    if heading:
        return re.split(rf"^#{{1,{len(heading['level'])}}} ", heading["text"], flags=re.MULTILINE)[0].strip()
    paragraph = re.search(rf"^\**{name}\**[:.]\**\s*(.*?)(?=\n\n|\Z)", readme, re.MULTILINE | re.DOTALL)
    return paragraph.group(1).strip() if paragraph else ""


def _counts(verdicts: Sequence[Verdict]) -> Mapping[Ruling, int]:
    return {ruling: sum(verdict.ruling == ruling for verdict in verdicts) for ruling in _RULINGS}


def _counted(verdicts: Sequence[Verdict]) -> str:
    counts = _counts(verdicts)
    return f"{len(verdicts)} claims: " + ", ".join(f"{counts[ruling]} {ruling}" for ruling in _RULINGS)


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < _HOUR else f"{seconds / 3600:.3g} h"
