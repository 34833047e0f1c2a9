"""The commands, put together; and the one place where errors become sentences."""

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

import edgewise
from edgewise.cli.commands.advise import advise
from edgewise.cli.commands.data import data
from edgewise.cli.commands.demo import demo
from edgewise.cli.commands.film import film
from edgewise.cli.commands.flows import flows
from edgewise.cli.commands.gallery import gallery, reproduce, verdicts
from edgewise.cli.commands.measure import measure
from edgewise.cli.commands.results import results
from edgewise.cli.commands.run import run
from edgewise.cli.commands.selfcheck import selfcheck
from edgewise.cli.commands.show import show
from edgewise.cli.complaints import INTERRUPTED, complain
from edgewise.cli.options.groups import EVERYWHERE, OPTIONS

_HELP = """Measure the curvature of a training run, and say what it is doing.

  edgewise demo                           reach the edge of stability in a minute
  edgewise run digits_mlp --critical 16   train with the step size 2/16
  edgewise run --resume latest            go on with the newest run
  edgewise flows digits_mlp --critical 16 which theory tracks the run best
  edgewise show                           list the runs
  edgewise show latest                    one of them, with its verdict
  edgewise film latest                    the iterate bouncing at its edge
  edgewise measure latest                 the spectrum at its last checkpoint
  edgewise gallery                        the papers that can be re-run
  edgewise reproduce wu2018how            re-run one, with a verdict on every claim
  edgewise verdicts                       what was found so far
  edgewise results                        the same as a page with figures
  edgewise advise train.py                your own training: is its step size too high
  edgewise selfcheck digits_cnn           check the derivatives of a network
  edgewise data                           list the data sets
"""

app = App(
    name="edgewise",
    help=_HELP,
    version=f"edgewise {edgewise.__version__}",
    # As typed: the lines of the examples are lines.
    help_format="plaintext",
    group_parameters=OPTIONS,
    suppress_keyboard_interrupt=False,
)
app.meta.suppress_keyboard_interrupt = False
COMMANDS = (
    demo, run, flows, show, film, measure, gallery, reproduce, verdicts, results, advise, selfcheck, data,
)  # fmt: skip
for command in COMMANDS:
    app.command(command)


@app.meta.default
def _everywhere(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    debug: Annotated[bool, Parameter(negative="", show_default=False, group=EVERYWHERE)] = False,
) -> Any:
    """Options that every command takes.

    Args:
        tokens: the command line without them.
        debug: show the whole traceback of an error.
    """
    try:
        return app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except Exception as error:
        if debug:
            traceback.print_exc()
        return complain(error, tokens)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was typed.

    Args:
        arguments: the words after `edgewise`; None takes those of the process.

    Returns:
        The exit code: 0 done; 1 a check that failed, or an error nobody expected; 2 a mistake of the
        caller's or of the surroundings, in one sentence on standard error; 130 interrupted.
    """
    tokens = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = app.meta(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return complain(error, tokens)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code or 0
