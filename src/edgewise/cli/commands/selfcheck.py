"""`edgewise selfcheck`: are the derivatives of a problem right?"""

from edgewise.cli.complaints import FAILED
from edgewise.cli.options.problem import ProblemOptions


def selfcheck(problem: str, /, *, rtol: float = 1e-4, options: ProblemOptions = ProblemOptions()) -> int:
    """Compare the derivatives of a problem with finite differences in float64, and name a layer that is wrong.

    The exit code is 1 if one of them cannot be trusted.

      edgewise selfcheck digits_cnn
      edgewise selfcheck cifar10_vit --n 100

    Args:
        problem: its name; edgewise run --help lists them.
        rtol: relative error that is allowed.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from edgewise.cli.report import output, watched
    from edgewise.objectives import selfcheck as check

    with watched().status("checking"):
        found = check(options.build(problem).objective(), seed=options.seed, rtol=rtol)
    console = output()
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in ("derivative", "error", "allowed", "finding"):
        out.add_column(heading, justify="right" if heading in ("error", "allowed") else "left")
    for row in found.rows:
        finding = Text("right", "green") if row.passed else Text(f"wrong, most in {row.worst}", "red")
        out.add_row(row.derivative, f"{row.error:.1e}", f"{row.tolerance:.1e}", finding)
    console.print(out)
    console.print(found.sentence, soft_wrap=not console.is_terminal)
    return 0 if found.passed else FAILED
