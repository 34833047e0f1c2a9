"""`edgewise flows`: which continuous flow tracks a discrete run best, and at what cost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from edgewise.cli.options.groups import KEEPING
from edgewise.cli.options.method import MethodOptions
from edgewise.cli.options.problem import PROBLEMS, ProblemOptions

if TYPE_CHECKING:
    from edgewise.dynamics import Leaderboard

FlowName = Literal["gradient", "stable", "central", "constrained", "edge", "rod"]

_STEPS, _SEEDS, _EVERY = 500, 3, 5
_STORE = Path("runs")
_FIGURE = "flows.png"


def flows(
    problem: Annotated[str | None, Parameter(help=f"what to train: {', '.join(PROBLEMS)}.")] = None,
    /,
    *,
    steps: int = _STEPS,
    flow: Annotated[tuple[FlowName, ...], Parameter(negative="", show_default="all")] = (),
    seeds: int = _SEEDS,
    every: int = _EVERY,
    window: int | None = None,
    threads: int | None = None,
    method: MethodOptions = MethodOptions(),
    options: ProblemOptions = ProblemOptions(),
    store: Annotated[Path, Parameter(group=KEEPING)] = _STORE,
    figure: Annotated[bool, Parameter(negative="--no-figure", group=KEEPING)] = True,
) -> int:
    """Run a method beside the flows that describe it, and rank them.

      edgewise flows digits_mlp --critical 16
      edgewise flows digits_mlp --critical 16 --flow central --flow gradient
      edgewise flows digits_mlp --method rmsprop --lr 0.0001 --beta2 0.99

    Each flow is compared with the midpoints of the run: how far from them it
    ends, how well it predicts the smoothed loss and the sharpness, and what a
    step of it costs in gradients of the method.

    Args:
        steps: how many steps of the method.
        flow: which flows; may be repeated.
        seeds: over how many initialisations, counted up from --seed.
        every: read the sharpness of every process every so many steps.
        window: over how many steps run and prediction are averaged; a twentieth of the run, but at least 20, if
            not given.
        threads: processor threads; PyTorch's choice if not given.
        store: the folder in which the runs' folders are made.
        figure: draw each run with its flows into its folder.
    """
    from edgewise.cli.report import announce, facts, output, shown, summary, watched
    from edgewise.cli.threads import using
    from edgewise.dynamics import MIDPOINT, RUN, compare_flows
    from edgewise.figures import comparison, save
    from edgewise.foundation import SettingError

    if problem is None:
        raise SettingError(
            "a comparison without a problem", "there is nothing to train", f"Choose from {', '.join(PROBLEMS)}"
        )
    for name, value in (("steps", steps), ("seeds", seeds), ("every", every)):
        if value < 1:
            raise SettingError(f"--{name} {value}", "it is counted from 1", f"Type --{name} 3")
    chosen, descent = options.build(problem), method.build()
    console = watched()
    announce(console, chosen.name, *summary(descent))
    with using(threads):
        board = compare_flows(
            chosen,
            descent,
            steps,
            flows=flow or None,
            seeds=range(options.seed, options.seed + seeds),
            every=every,
            window=window,
            store=store,
        )
    out = output()
    out.print(_table(board))
    lines = [(f"{name}, seed {seed}", f"did not take part: {why}") for (name, seed), why in board.refused.items()]
    for run, seed in zip(board.runs, range(options.seed, options.seed + seeds), strict=True):
        lines.append((f"seed {seed}", shown(run.path)))
        if figure:
            drawn = comparison(
                run.dataset,
                run=RUN,
                midpoint=MIDPOINT,
                flows=board.flows,
                title=f"{board.problem}, seed {seed}: {', '.join(summary(descent)[:2])}",
                verdict=str(run.verdict(RUN)),
            )
            lines.append(("figure", shown(save(drawn, run.path / _FIGURE))))
    facts(out, *lines)
    return 0


def _table(board: "Leaderboard") -> Any:
    from rich import box
    from rich.table import Table

    seeds = len(board.runs)
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        header_style="bold",
        title=f"{seeds} seed{'s' if seeds > 1 else ''}, {board.steps} steps, averages over {board.window} steps",
        title_justify="left",
    )
    table.add_column("flow", no_wrap=True)
    for heading in ("distance", "error of loss", "error of sharpness", "gradients a step", "ms a step", "ended"):
        table.add_column(heading, justify="right")
    for flow in board.flows:
        table.add_row(flow, *board.cells(flow))
    return table
