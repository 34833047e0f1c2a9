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
    verdicts are, 1 if a run failed, an exhibit could not be judged or a golden number changed, and 130 after
    Ctrl-C.

    Args:
        addresses: papers, or exhibits of papers; edgewise gallery lists them.
        everything: the whole gallery.
        scale: smoke (seconds), laptop (minutes), or paper (the original setting).
        seeds: how many; as many as the claims of each exhibit ask for if not given.
        jobs: how many runs at a time, each in a process of one thread.
        again: run again what is in the store.
        golden: check compares the smoke scale with the golden numbers of the gallery, write replaces those.
        store: the folder in which records, verdicts and figures are kept.
        figures: draw each exhibit into the store.
        films: film those exhibits that move.
    """
    from edgewise.cli.gallery_progress import Bar
    from edgewise.cli.report import output, shown, watched
    from edgewise.foundation import EdgewiseError, SettingError, first_line
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
    meant = exhibits(addresses)
    chosen = [(paper, exhibit) for paper, exhibit in meant if size in exhibit.scales]
    if not chosen:
        raise SettingError(
            f"--scale {scale} for {' '.join(addresses)}",
            "what is meant has no such scale",
            f"Choose from {', '.join(known for known in Scale if any(known in e.scales for _, e in meant))}",
        )
    out = output()
    if left_out := [f"{paper.key}/{exhibit.name}" for paper, exhibit in meant if size not in exhibit.scales]:
        out.print(f"Without a {scale} scale, and left out: {', '.join(left_out)}.", soft_wrap=True)
    try:
        planned = plan(((f"{p.key}/{e.name}", e) for p, e in chosen), size, seeds, store, again=again)
        with Bar(len(planned)) as bar:
            done = perform(planned, jobs, bar.told)
    except KeyboardInterrupt:
        watched().print(f"Interrupted. Type the same{' without --again' if again else ''} to go on.")
        raise
    trouble = [f"{one.job.label} (seed {one.job.seed}) failed: {one.trouble}" for one in done if one.trouble]
    bugs: list[Exception] = []
    for paper, exhibit in chosen:
        try:
            trouble += _conclude(paper, exhibit, size, seeds, store, golden, figures, films)
        except EdgewiseError as error:
            trouble.append(f"{paper.key}/{exhibit.name} was not finished: {error}")
        except Exception as error:
            said = f"{type(error).__name__}: {first_line(error)}"
            trouble.append(f"{paper.key}/{exhibit.name} was not finished: {said}.")
            bugs.append(error)
    for line in trouble:
        out.print(line, soft_wrap=True)
    if len(trouble) < len(chosen):
        out.print(f"{'Figures and verdicts' if figures else 'Verdicts'} are in {shown(store)}.", soft_wrap=True)
    if bugs:
        raise bugs[0]
    return 1 if trouble else 0


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
    from edgewise.gallery import exhibits

    found = findings(addresses, scale, store)
    out = output()
    if not found:
        typed = f"{' '.join(addresses) or '--all'}{f' --scale {scale}' if scale else ''}"
        out.print(f"There are no verdicts in {store}. Make some with edgewise reproduce {typed}.", soft_wrap=True)
        return 0
    known = {
        (paper.key, exhibit.name): exhibit
        for paper, exhibit in exhibits([f"{finding.key}/{finding.exhibit}" for finding in found])
    }
    older = []
    for finding in found:
        _print(finding)
        if not finding.is_of(known[finding.key, finding.exhibit]):
            older.append(f"edgewise reproduce {finding.key}/{finding.exhibit} --scale {finding.scale}")
    rulings = [verdict.ruling for finding in found for verdict in finding.verdicts]
    counted = ", ".join(f"{rulings.count(ruling)} {ruling}" for ruling in _COLOURS if ruling in rulings)
    out.print(f"{len(rulings)} claims: {counted}.")
    if older:
        out.print("Older than what is claimed today; judge anew with", soft_wrap=True)
        for line in older:
            out.print(f"  {line}", soft_wrap=True)
    return 0


def findings(addresses: Sequence[str], scale: str | None, store: Path) -> "list[Finding]":
    """What the store holds of the papers and exhibits that are meant, at one scale or at all.

    What it holds beside, damaged files and what the gallery has no more, is said on standard error.
    """
    from edgewise.cli.report import watched
    from edgewise.gallery import exhibits, keys
    from edgewise.reproduction import read_findings

    stored = read_findings(store)
    # The papers in the store, and not the whole gallery, which takes seconds to import.
    looked_for = addresses or sorted({finding.key for finding in stored.found} & set(keys()))
    wanted = {(paper.key, exhibit.name) for paper, exhibit in exhibits(looked_for)} if looked_for else set()
    console = watched()
    for complaint in stored.broken:
        console.print(f"Left out: {complaint}", soft_wrap=True)
    meant = [finding for finding in stored.found if (finding.key, finding.exhibit) in wanted]
    if not addresses and len(meant) < len(stored.found):
        gone = sorted({f"{finding.key}/{finding.exhibit}" for finding in stored.found if finding not in meant})
        console.print(f"Left out, for the gallery has it no more: {', '.join(gone)}.", soft_wrap=True)
    return [finding for finding in meant if scale in (None, finding.scale)]


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
    """Judge one exhibit, print it, draw it; returns what differs from the golden numbers.

    Raises:
        RecordError: if a record is missing or damaged.
    """
    from edgewise.figures import save, save_film
    from edgewise.foundation import RecordError
    from edgewise.gallery import folder_of
    from edgewise.reproduction import collect, differences, examine, place, write_finding, write_golden

    count = exhibit.seeds if seeds is None else seeds
    try:
        runs = collect(exhibit, scale, count, store)
    except RecordError as error:
        anew = f"Type edgewise reproduce {paper.key}/{exhibit.name} --scale {scale} --again, which makes it anew"
        raise RecordError(error.given, error.why, anew) from error
    finding = examine(paper.key, exhibit, scale, count, store, runs)
    write_finding(store, finding)
    _print(finding)
    changed: Sequence[str] = ()
    if golden == "write":
        write_golden(folder_of(paper.key), finding)
    elif golden == "check":
        changed = differences(folder_of(paper.key), exhibit, finding)
    if figures:
        save(exhibit.figure(runs[0]), place(store, paper.key, exhibit.name, scale, ".png"))
    if films is not None and exhibit.film is not None:
        save_film(exhibit.film(runs[0]), place(store, paper.key, exhibit.name, scale, f".{films}"))
    return changed


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
