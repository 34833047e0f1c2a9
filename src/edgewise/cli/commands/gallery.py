"""`edgewise gallery`, `reproduce` and `verdicts`: the literature, re-run and judged."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from edgewise.cli.options.groups import KEEPING

if TYPE_CHECKING:
    from edgewise.reproduction import Exhibit, Finding, Reproduction

STORE = Path("runs/gallery")
"""Where records, verdicts and figures of reproductions are kept."""

_JOBS = len(os.sched_getaffinity(0))
ScaleName = Literal["smoke", "laptop", "paper"]

_COLOURS = {"holds": "green", "fails": "bold red", "undecided": "yellow"}


def gallery(paper: str | None = None, /) -> int:
    """List the papers that can be reproduced, or the exhibits and claims of one.

      edgewise gallery
      edgewise gallery cohen2021gradient

    Args:
        paper: its key.
    """
    from rich import box
    from rich.table import Table

    from edgewise.cli.report import facts, output
    from edgewise.gallery import keys, reproduction

    out = output()
    if paper is not None:
        found = reproduction(paper)
        out.print(f"{found.authors}: {found.title}\n", style="bold")
        for exhibit in found.exhibits:
            scales = ", ".join(exhibit.scales)
            out.print(f"{found.key}/{exhibit.name}  {exhibit.title} ({scales})", soft_wrap=True)
            facts(out, *((str(claim.expect), claim.sentence) for claim in exhibit.claims), indent=2)
        return 0
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in ("paper", "title", "exhibits"):
        table.add_column(heading, overflow="fold")
    for key in keys():
        found = reproduction(key)
        table.add_row(key, f"{found.authors}: {found.title}", ", ".join(e.name for e in found.exhibits))
    out.print(table)
    return 0


def reproduce(
    *addresses: str,
    everything: Annotated[bool, Parameter(name="--all", negative="")] = False,
    scale: ScaleName = "smoke",
    seeds: int | None = None,
    jobs: int = _JOBS,
    again: Annotated[bool, Parameter(negative="")] = False,
    golden: Literal["check", "write"] | None = None,
    store: Annotated[Path, Parameter(group=KEEPING)] = STORE,
    figures: Annotated[bool, Parameter(negative="--no-figures", group=KEEPING)] = True,
    films: Annotated[Literal["gif", "mp4"] | None, Parameter(group=KEEPING)] = None,
) -> int:
    """Re-run what a paper claims, judge it, and draw it.

      edgewise reproduce wu2018how
      edgewise reproduce cohen2021gradient/fig5 --scale laptop --seeds 3
      edgewise reproduce --all

    What is in the store already is not run again; what was interrupted goes on. The exit code is 0 whatever the
    verdicts are, and 1 if a run failed or a golden number changed.

    Args:
        addresses: papers, or exhibits of papers; edgewise gallery lists them.
        everything: the whole gallery.
        scale: smoke (seconds), laptop (minutes), or paper (the original setting).
        seeds: how many; as many as the claims of each exhibit ask for if not given.
        jobs: how many runs at a time.
        again: run again what is in the store.
        golden: check compares the smoke scale with the golden numbers of the gallery, write replaces those.
        store: the folder in which records, verdicts and figures are kept.
        figures: draw each exhibit into the store.
        films: film those exhibits that move.
    """
    from edgewise.cli.gallery_progress import Bar
    from edgewise.cli.report import output, shown
    from edgewise.foundation import SettingError
    from edgewise.gallery import exhibits
    from edgewise.reproduction import Scale, perform, plan

    if bool(addresses) == everything:
        raise SettingError(
            "edgewise reproduce " + (f"{' '.join(addresses)} --all" if everything else "without an address"),
            "it is either the whole gallery or parts of it",
            "Type edgewise reproduce --all, or the keys that edgewise gallery lists",
        )
    for name, value in (("seeds", seeds), ("jobs", jobs)):
        if value is not None and value < 1:
            raise SettingError(f"--{name} {value}", "it is counted from 1", f"Type --{name} 2")
    if golden is not None and (scale != "smoke" or seeds is not None):
        raise SettingError(
            f"--golden {golden} with another scale or number of seeds",
            "the golden numbers are those of the smoke scale and its own seeds",
            "Leave out --scale and --seeds",
        )
    size = Scale(scale)
    chosen = [(paper, exhibit) for paper, exhibit in exhibits(addresses) if size in exhibit.scales]
    left_out = len(exhibits(addresses)) - len(chosen)
    out = output()
    if left_out:
        out.print(f"{left_out} exhibit{'s have' if left_out > 1 else ' has'} no {scale} scale.")
    planned = plan(((f"{p.key}/{e.name}", e) for p, e in chosen), size, seeds, store, again=again)
    with Bar(len(planned), "runs") as bar:
        done = perform(planned, jobs, bar.told)
    broken = {one.job.folder: one for one in done if one.trouble}
    for one in broken.values():
        out.print(f"{one.job.label} (seed {one.job.seed}) failed: {one.trouble}", soft_wrap=True)
    changed: list[str] = []
    for paper, exhibit in chosen:
        changed += _conclude(paper, exhibit, size, seeds, store, golden, figures, films)
    for line in changed:
        out.print(line, soft_wrap=True)
    if figures or films:
        out.print(f"Figures and verdicts are in {shown(store)}.")
    return 1 if broken or changed else 0


def verdicts(*addresses: str, scale: ScaleName | None = None, store: Path = STORE) -> int:
    """Print the verdicts in the store, without running anything.

      edgewise verdicts
      edgewise verdicts cohen2021gradient --scale laptop

    Args:
        addresses: papers, or exhibits of papers; all if not given.
        scale: only those of this scale.
        store: the folder in which edgewise reproduce keeps them.
    """
    from edgewise.cli.report import output

    found = findings(addresses, scale, store)
    out = output()
    if not found:
        out.print(f"There are no verdicts in {store}. Make some with edgewise reproduce --all.", soft_wrap=True)
        return 0
    for finding in found:
        _print(finding)
    rulings = [verdict.ruling for finding in found for verdict in finding.verdicts]
    counted = ", ".join(f"{rulings.count(ruling)} {ruling}" for ruling in _COLOURS if ruling in rulings)
    out.print(f"{len(rulings)} claims: {counted}.")
    return 0


def findings(addresses: Sequence[str], scale: str | None, store: Path) -> "list[Finding]":
    """What the store holds of the papers and exhibits that are meant, at one scale or at all."""
    from edgewise.gallery import exhibits
    from edgewise.reproduction import read_findings

    wanted = {(paper.key, exhibit.name) for paper, exhibit in exhibits(addresses)}
    return [
        finding
        for finding in read_findings(store)
        if (finding.key, finding.exhibit) in wanted and scale in (None, finding.scale)
    ]


def _conclude(
    paper: "Reproduction",
    exhibit: "Exhibit",
    scale: Any,
    seeds: int | None,
    store: Path,
    golden: str | None,
    figures: bool,
    films: str | None,
) -> Sequence[str]:
    """Judge one exhibit, draw it, print it; returns what differs from the golden numbers."""
    from edgewise.cli.report import output
    from edgewise.figures import save, save_film
    from edgewise.foundation import RecordError
    from edgewise.gallery import folder_of
    from edgewise.reproduction import collect, differences, examine, place, write_finding, write_golden

    count = exhibit.seeds if seeds is None else seeds
    try:
        runs = collect(exhibit, scale, count, store)
    except RecordError as error:
        output().print(f"{paper.key}/{exhibit.name} is not judged: {error}", soft_wrap=True)
        return ()
    finding = examine(paper.key, exhibit, scale, count, store, runs)
    write_finding(store, finding)
    if figures:
        save(exhibit.figure(runs[0]), place(store, paper.key, exhibit.name, scale, ".png"))
    if films is not None and exhibit.film is not None:
        save_film(exhibit.film(runs[0]), place(store, paper.key, exhibit.name, scale, f".{films}"))
    _print(finding)
    if golden == "write":
        write_golden(folder_of(paper.key), finding)
    return differences(folder_of(paper.key), exhibit, finding) if golden == "check" else ()


def _print(finding: "Finding") -> None:
    from rich.text import Text

    from edgewise.cli.report import output

    out = output()
    n = f"{finding.seeds} seed{'' if finding.seeds == 1 else 's'}"
    head = f"{finding.key}/{finding.exhibit}"
    out.print(Text.assemble((head, "bold"), f"  {finding.scale}, {n}, {finding.seconds:.3g} s"), soft_wrap=True)
    for verdict in finding.verdicts:
        line = Text.assemble(
            "  ",
            (verdict.ruling.ljust(10), _COLOURS[verdict.ruling]),
            f"{verdict.sentence}: {verdict.measured}, expected {verdict.expected}",
            f" ({verdict.why})" if verdict.why else "",
        )
        out.print(line, soft_wrap=True)
