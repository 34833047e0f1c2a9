"""`edgewise demo`: a network reaches its edge of stability, on data that need no download."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

_STORE = Path("runs")

# A tanh network as in cohen2021gradient, small enough for a minute on two cores. It starts at 0.4 of its
# critical curvature, crosses it after 300 steps, and would sharpen to well above it if it could.
_SAMPLES, _WIDTHS, _ACTIVATION = 500, (32, 32, 32), "tanh"
_CRITICAL, _STEPS = 14.0, 1000
_TOP, _RTOL = 3, 2e-3
# Its matrices are too small to be shared out; on a busy machine threads that wait for each other take minutes.
_THREADS = 1


def demo(
    *,
    steps: int = _STEPS,
    seed: int = 0,
    threads: int = _THREADS,
    store: Path = _STORE,
    figure: Annotated[bool, Parameter(negative="--no-figure")] = True,
) -> int:
    """Watch a network reach its edge of stability: real data, nothing to download, under a minute.

    A small tanh network learns scikit-learn's handwritten digits by full-batch
    gradient descent. The sharpness, the largest eigenvalue of the Hessian of the
    loss, is read at every step with a bound of its error. It rises until it
    reaches 2/η, above which a quadratic would diverge, and stays there while the
    loss goes on falling.

    Args:
        steps: how many steps.
        seed: of the initial parameters, and of everything random in the measuring.
        threads: processor threads.
        store: the folder in which the run's folder is made.
        figure: draw the run into its folder.
    """
    from edgewise.cli.report import announce, report, summary, watched
    from edgewise.cli.threads import using
    from edgewise.cli.watching import watcher
    from edgewise.dynamics import Sharpness, evolve
    from edgewise.methods import GradientDescent
    from edgewise.problems import digits_mlp

    problem = digits_mlp(n=_SAMPLES, widths=_WIDTHS, activation=_ACTIVATION, seed=seed)
    method = GradientDescent(2 / _CRITICAL)
    console = watched()
    announce(
        console,
        f"{_SAMPLES} handwritten digits, {_ACTIVATION} network of widths {'-'.join(map(str, _WIDTHS))}",
        *summary(method),
    )
    with using(threads):
        run = evolve(
            {"gd": method},
            problem,
            steps,
            [Sharpness(k=_TOP, rtol=_RTOL)],
            store=store,
            name="demo",
            seed=seed,
            progress=watcher(console),
        )
    return report(run, figure=figure)
