"""`edgewise advise`: what to do with the step size of a script that is watched, or of a folder of checkpoints."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from edgewise.cli.complaints import FAILED, INTERRUPTED, MISTAKE

if TYPE_CHECKING:
    from rich.table import Table

    from edgewise.watch import Watch
    from edgewise.watch.advice import Advice
    from edgewise.watch.offline import CheckpointReadings, OfflineAdvice

_LINES = """\
    import edgewise as ew
    watch = ew.Watch(model, optimizer, criterion, probe_batch)  # before the loop
    watch.step(loss)                                            # after optimizer.step()"""


def advise(
    target: Path,
    /,
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)],
    steps: int | None = None,
    script: str | None = None,
    batch_size: int | None = None,
    threads: int | None = None,
) -> int:
    """Say how large your step size may be, what breaks first, and how long to warm up.

    A script is run as it is, and at its end, or at Ctrl-C, every watch in it gives its advice.
    A folder of checkpoints is read with the model that a function of a script makes.

      edgewise advise train.py --steps 500
      edgewise advise train.py -- --epochs 3
      edgewise advise checkpoints/ --script train.py:make

    Args:
        target: a Python script that makes an ew.Watch, or a folder of checkpoints (safetensors, or PyTorch files
            with weights only).
        arguments: the script's own.
        steps: end the script after so many steps of the watch.
        script: for a folder: the script and its function, such as train.py:make.
        batch_size: for a folder: samples that an update averaged over; batch sharpness is read with it.
        threads: processor threads; PyTorch's choice if not given.
    """
    from edgewise.cli.threads import using
    from edgewise.foundation import SettingError

    if target.is_dir():
        for option, given in (("--steps", steps), ("arguments", arguments or None)):
            if given is not None:
                raise SettingError(f"{option} with the folder {target}", "nothing is run there", "Leave it out")
        if script is None:
            raise SettingError(
                f"the folder {target} alone",
                "weights alone have no loss",
                "Type --script train.py:make, a function that returns model, optimizer, criterion, probe_batch",
            )
        with using(threads):
            return _folder(target, script, batch_size)
    for option, value in (("--script", script), ("--batch-size", batch_size)):
        if value is not None:
            raise SettingError(f"{option} with the script {target}", "it goes with a folder", "Leave it out")
    if steps is not None and steps < 1:
        raise SettingError(f"--steps {steps}", "nothing can be said before a step", "Type --steps 500")
    with using(threads):
        return _script(target, arguments, steps)


def _script(path: Path, arguments: Sequence[str], steps: int | None) -> int:
    from edgewise.cli.report import watched
    from edgewise.cli.scripts import run_script
    from edgewise.dynamics import ProgressBar, Silent

    watches: list[Watch] = []
    console = watched()
    progress = ProgressBar() if console.is_terminal else Silent()

    def told(watch: "Watch") -> None:
        if console.is_terminal and steps is not None and watch is watches[0]:
            progress.row(watch.steps, {"watch": _newest(watch)})

    progress.begin(0, steps or 0)
    try:
        ending = run_script(path, arguments, watches, steps, told)
    finally:
        progress.end()
    if ending.trouble is not None:
        console.print(ending.trouble, end="", soft_wrap=True)
    if not watches:
        if ending.kind == "failed":
            return FAILED
        console.print(
            f"error: {path}: it made no watch, so there is nothing to say. Add three lines:", soft_wrap=True
        )
        console.print(_LINES, soft_wrap=True)
        return MISTAKE
    for number, watch in enumerate(watches, 1):
        _say(watch, f"watch {number}" if len(watches) > 1 else None, path)
    return {"failed": FAILED, "interrupted": INTERRUPTED}.get(ending.kind, ending.code)


def _newest(watch: "Watch") -> dict[str, Any]:
    """The loss and the edge ratio for the bar."""
    losses = watch.losses.loss[-1:].tolist()
    ratio = next((r.ratio for r in reversed(watch.readings[-50:]) if r.ratio is not None), None)
    return ({"loss": losses[0]} if losses else {}) | ({} if ratio is None else {"edge_ratio": ratio})


def _say(watch: "Watch", name: str | None, path: Path) -> None:
    from edgewise.cli.report import facts, output

    rows = [("watch", name)] if name else []
    if watch.steps == 0:
        words = f"Cannot tell: {path} never called watch.step(loss); call it after optimizer.step()."
        facts(output(), *rows, ("verdict", words))
        return
    read = f"{_counted(watch)} in {watch.steps} steps, for {watch.cost:.1%} of the training time"
    rows += [("verdict", str(watch.verdict()))]
    rows += [("spike", str(spike)) for spike in watch.spikes] or [("spikes", "none")]
    facts(output(), *rows, *_lines(watch.advise()), ("readings", read))


def _counted(watch: "Watch") -> str:
    """How many readings there are, and of which kinds, the dearest first."""
    from edgewise.watch import KINDS

    counts = Counter(row.kind for row in watch.readings)
    kinds = [f"{kind} {counts[kind]}" for kind in reversed(KINDS) if counts[kind]]
    return f"{counts.total()} ({', '.join(kinds)})" if kinds else "none"


def _lines(advice: "Advice") -> list[tuple[str, str]]:
    """A sentence a line."""
    return [("" if number else "advice", sentence) for number, sentence in enumerate(advice.sentences)]


def _folder(folder: Path, script: str, batch_size: int | None) -> int:
    from edgewise.cli.report import facts, output, watched
    from edgewise.cli.scripts import made_by
    from edgewise.dynamics import ProgressBar, Silent
    from edgewise.watch.offline import advise_offline

    model, optimizer, criterion, probe_batch = made_by(script)
    progress = ProgressBar() if watched().is_terminal else Silent()
    begun = False

    def told(number: int, total: int, row: "CheckpointReadings") -> None:
        nonlocal begun
        if not begun:
            progress.begin(0, total)
            begun = True
        sharpness = row.of("effective sharpness")
        ratio = {} if sharpness is None or sharpness.ratio is None else {"edge_ratio": sharpness.ratio}
        progress.row(number, {row.path.name: {"loss": row.loss} | ratio})

    try:
        found = advise_offline(folder, model, optimizer, criterion, probe_batch, batch_size=batch_size, told=told)
    finally:
        progress.end()
    console = output()
    console.print(_table(found, folder))
    facts(console, *_lines(found.advice))
    for error in found.refused:
        watched().print(f"refused: {error}", soft_wrap=True)
    return FAILED if found.refused else 0


def _table(found: "OfflineAdvice", folder: Path) -> "Table":
    from rich import box
    from rich.table import Table

    from edgewise.cli.table import plus_minus

    kinds = [
        kind
        for kind in ("effective sharpness", "mean-square sharpness", "batch sharpness", "critical sharpness")
        if any(row.of(kind) for row in found.checkpoints)
    ]
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in ("step", "checkpoint", "loss", "lr", *(f"edge ratio by {kind}" for kind in kinds)):
        out.add_column(heading, justify="left" if heading == "checkpoint" else "right")
    notes = dict.fromkeys(row.missing for row in found.checkpoints if row.missing)
    for row in found.checkpoints:
        cells = []
        for kind in kinds:
            reading = row.of(kind)
            bounds = None if reading is None else reading.ratio_bounds
            if reading is None or bounds is None or reading.ratio is None:
                cells.append("–")
            elif reading.ratio == 0.0:  # the loss never came back as far as was looked
                cells.append(f"< {bounds[1]:.2g}")
            elif math.isinf(reading.ratio):  # it rose from the first step that was tried
                cells.append(f"> {bounds[0]:.2g}")
            else:
                cells.append(plus_minus(reading.ratio, max(bounds[1] - reading.ratio, reading.ratio - bounds[0])))
        name = str(row.path.relative_to(folder))
        out.add_row(f"{row.step:,}", name, f"{row.loss:.4g}", f"{row.lr:.3g}", *cells)
    if notes:
        out.caption, out.caption_justify = "\n".join(map(str, notes)), "left"
    return out
