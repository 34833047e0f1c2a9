"""`edgewise measure`: the spectrum of a curvature matrix at a checkpoint of a run, or where a problem starts."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, final

from cyclopts import Parameter

from edgewise.cli.options.problem import PROBLEMS, ProblemOptions

if TYPE_CHECKING:
    from rich.table import Table
    from torch import Tensor

    from edgewise.linalg import Density, Eigenpairs, Operator
    from edgewise.objectives import Objective

_STORE = Path("runs")
_TRACE_PRODUCTS = 40
# Points of the density drawn, and its smoothing as a share of the range.
_POINTS, _SMOOTHING = 1000, 0.004

Matrix = Literal["hessian", "gauss-newton", "fisher", "empirical-fisher", "ntk"]
_WORDS: dict[Matrix, str] = {
    "hessian": "Hessian",
    "gauss-newton": "Gauss–Newton matrix",
    "fisher": "Fisher matrix",
    "empirical-fisher": "empirical Fisher matrix",
    "ntk": "neural tangent kernel",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Place:
    """Where to measure: an objective at a point, in words, and where the method loses stability there."""

    words: str
    objective: "Objective"
    w: "Tensor"
    critical_curvature: float | None = None
    formula: str = "critical curvature"
    folder: Path | None = None


def measure(
    target: str,
    /,
    *,
    matrix: Matrix = "hessian",
    top: Annotated[int, Parameter(name=["--top", "-k"])] = 10,
    rtol: float = 1e-4,
    step: int | None = None,
    process: str | None = None,
    density: bool = True,
    threads: int | None = None,
    figure: Path | None = None,
    store: Path = _STORE,
    options: ProblemOptions = ProblemOptions(),
) -> int:
    """Measure the spectrum of a model: top eigenvalues with error bounds, trace, spectral density.

      edgewise measure latest
      edgewise measure latest --matrix gauss-newton --top 3
      edgewise measure digits_mlp --widths 64,64 --figure spectrum.png

    Args:
        target: a run (its folder, a part of its name, or latest), or a problem, which is measured where it starts.
        matrix: which curvature.
        top: how many of the largest eigenvalues.
        rtol: bound of their errors, relative to the largest.
        step: the checkpoint of a run; the newest if not given.
        process: which process of a run; the first if not given.
        density: estimate the spectral density, by stochastic Lanczos quadrature, and draw it.
        threads: processor threads; PyTorch's choice if not given.
        figure: the file of the figure; for a run, by default in its folder.
        store: the folder in which the runs' folders are.
    """
    from edgewise.cli.report import facts, output, shown, watched
    from edgewise.cli.threads import using
    from edgewise.foundation import SettingError
    from edgewise.linalg import eigenpairs, spectral_density, trace

    if figure is not None and not density:
        raise SettingError(f"--figure {figure} with --no-density", "the figure shows the density", "Leave one out")
    if target.replace("-", "_") in PROBLEMS:
        place = _start(target, options, step, process)
    else:
        place = _checkpoint(target, store, step, process, options)
    console = output()
    with using(threads), watched().status("measuring"):
        operator = _operator(matrix, place, options.seed)
        pairs = eigenpairs(operator, k=min(top, operator.size), rtol=rtol, seed=options.seed)
        total = trace(operator, products=_TRACE_PRODUCTS, seed=options.seed)
        smooth = spectral_density(operator, seed=options.seed) if density else None
    what = f"{_WORDS[matrix]}, {operator.size:,} × {operator.size:,}"
    facts(console, ("at", place.words), ("loss", f"{float(place.objective.value(place.w)):.5g}"), ("matrix", what))
    critical = place.critical_curvature if matrix == "hessian" else None
    console.print(_table(pairs, critical, place.formula))
    rows = [
        ("eigenvalues", f"{pairs.products} products. {pairs.status.sentence}"),
        ("trace", f"{total} ({total.products} products)"),
    ]
    if smooth is not None:
        low, high = smooth.extent
        rows.append(("density", f"from {low:.4g} to {high:.4g} ({smooth.products} products)"))
        path = figure or (place.folder and place.folder / f"spectrum-{matrix}.png")
        if path is not None:
            text = f"Trace {total}. Density from {smooth.products} products. {pairs.status.sentence}"
            _draw(path, smooth, pairs, critical, place, f"{_WORDS[matrix]} at {place.words}", text)
            rows.append(("figure", shown(path)))
    facts(console, *rows)
    return 0


def _start(name: str, options: ProblemOptions, step: int | None, process: str | None) -> _Place:
    from edgewise.foundation import SettingError

    if step is not None or process is not None:
        raise SettingError(
            f"--{'step' if step is not None else 'process'} with the problem {name}",
            "a problem has only its start",
            "Give a run, such as latest",
        )
    problem = options.build(name)
    objective = problem.objective()
    return _Place(words=f"the start of {problem.name}", objective=objective, w=objective.start)


def _checkpoint(text: str, store: Path, step: int | None, process: str | None, options: ProblemOptions) -> _Place:
    import json
    import math

    from edgewise.cli.report import shown
    from edgewise.dynamics import Problem, Run
    from edgewise.foundation import SettingError, decode
    from edgewise.linalg import Identity
    from edgewise.methods import Method
    from edgewise.records import find_record

    fixed = [option for option in options.given() if option != "--seed"]
    if fixed:
        raise SettingError(
            f"{fixed[0]} with a run", "the run knows its problem", "Leave it out, or give a problem"
        )
    run = Run(find_record(text, store))
    recipe = run.recipe
    if not isinstance(recipe.problem, Problem):
        raise SettingError(
            f"the run {run.path.name}",
            "its objective was made by hand, which a manifest cannot hold",
            "Measure it in Python: ew.eigenpairs(ew.Hessian(objective, w))",
        )
    names = list(recipe.processes)
    if process is not None and process not in names:
        raise SettingError(
            f"--process {process}", "the run has no such process", f"Choose from {', '.join(names)}"
        )
    name = process or names[0]
    checkpoint = run.record.checkpoint(step)
    objective = recipe.problem.objective()
    tensors = {key: tensor.to(objective.device) for key, tensor in checkpoint.tensors.items()}
    state = decode(json.loads(checkpoint.state), tensors)["processes"][name]
    critical = float(run.dataset["critical_curvature"].sel(process=name, step=checkpoint.step))
    process_of = recipe.processes[name]
    if isinstance(process_of, Method):
        gradient = objective.gradient(state.w)
        if not isinstance(process_of.preconditioner(state.w, gradient, state.inner), Identity):
            critical = math.nan  # it is compared with the effective Hessian, which is not measured here
    return _Place(
        words=f"step {checkpoint.step} of {shown(run.path)}" + (f", process {name}" if len(names) > 1 else ""),
        objective=objective,
        w=state.w,
        critical_curvature=None if math.isnan(critical) else critical,
        formula=run.manifest["critical_formulas"][name],
        folder=run.path,
    )


def _operator(matrix: Matrix, place: _Place, seed: int) -> "Operator":
    from edgewise.curvature import NTK, EmpiricalFisher, Fisher, GaussNewton, Hessian

    match matrix:
        case "hessian":
            return Hessian(place.objective, place.w)
        case "gauss-newton":
            return GaussNewton(place.objective, place.w)
        case "fisher":
            return Fisher(place.objective, place.w, seed=seed)
        case "empirical-fisher":
            return EmpiricalFisher(place.objective, place.w)
        case "ntk":
            return NTK(place.objective, place.w)


def _table(pairs: "Eigenpairs", critical: float | None, formula: str) -> "Table":
    from rich import box
    from rich.table import Table

    from edgewise.cli.table import UNCONVERGED, plus_minus

    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in ("rank", "eigenvalue", "residual", *([f"÷ {formula} = {critical:.4g}"] if critical else [])):
        out.add_column(heading, justify="right")
    columns = (pairs.values, pairs.bounds, pairs.residuals, pairs.converged)
    for rank, (value, bound, residual, ok) in enumerate(zip(*(c.tolist() for c in columns), strict=True), 1):
        ratio = [f"{value / critical:.3f}"] if critical else []
        out.add_row(str(rank), plus_minus(value, bound) + ("" if ok else UNCONVERGED), f"{residual:.1e}", *ratio)
    return out


def _draw(
    path: Path,
    density: "Density",
    pairs: "Eigenpairs",
    critical: float | None,
    place: _Place,
    title: str,
    text: str,
) -> None:
    import torch

    from edgewise.figures import save, spectrum

    low, high = density.extent
    high = max(high, float(pairs.values[0]))
    room = 0.02 * (high - low) or 1.0
    points = torch.linspace(low - room, high + room, _POINTS, dtype=torch.float64)
    smooth = density.grid(points, _SMOOTHING * (high - low) or room / 10)
    figure = spectrum(
        points.numpy(),
        torch.as_tensor(smooth.value).numpy(),
        eigenvalues=pairs.values.double().cpu().numpy(),
        bounds=pairs.bounds.double().cpu().numpy(),
        critical_curvature=critical,
        formula=place.formula,
        title=title,
        text=text,
    )
    save(figure, path)
