"""Every option of every command reaches the code: typed with another value, it changes what happens."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from conftest import TINY, Answer, Typed, newest
from edgewise.cli import app
from edgewise.cli.options.problem import PROBLEMS
from edgewise.data import cache_folder
from edgewise.dynamics import (
    AccuracyAbove,
    EdgeHeld,
    GradientNorm,
    LossBelow,
    MidpointSharpness,
    Run,
    Sharpness,
)
from edgewise.methods import (
    SAM,
    SGD,
    Adam,
    Drop,
    GradientDescent,
    HeavyBall,
    RMSProp,
    Warmup,
    WeightDecay,
)
from edgewise.problems import NAMES

STEP_SIZE = ("--lr", 0.1)
COMPARED = ("flows", *TINY[:3], *STEP_SIZE, "--flow", "gradient", "--no-figure")
FLOWS = (*COMPARED[:-1], "--steps", 3, "--seeds", 1, "--no-figure")
DIGITS = ("digits_mlp", "--n", 20, "--widths", "3", "--top", 1, "--no-figure")


def probe(run: Run, kind: type) -> Any:
    return next(probe for probe in run.recipe.probes if isinstance(probe, kind))


def sharpness(run: Run) -> Sharpness:
    return probe(run, Sharpness)


# option: (the words after `edgewise run … --steps 2`, what must be true of the run)
RUN: dict[str, tuple[Sequence[object], Callable[[Run], bool]]] = {
    "PROBLEM": ((*TINY, *STEP_SIZE), lambda run: run.recipe.problem.name == "chebyshev_mlp"),
    "--steps": ((*TINY, *STEP_SIZE, "--steps", 1), lambda run: run.recipe.steps == 1),
    "--threads": (
        (*TINY, *STEP_SIZE, "--threads", 3),
        lambda run: run.manifest["environment"]["hardware"]["torch_threads"] == 3,
    ),
    "--method": (
        (*TINY, *STEP_SIZE, "--method", "heavy-ball"),
        lambda run: run.recipe.processes == {"heavy-ball": HeavyBall(0.1, 0.9)},
    ),
    "--lr": ((*TINY, "--lr", 0.05), lambda run: run.recipe.processes == {"gd": GradientDescent(0.05)}),
    "--critical": ((*TINY, "--critical", 50), lambda run: run.recipe.processes == {"gd": GradientDescent(2 / 50)}),
    "--beta": (
        (*TINY, "--critical", 50, "--method", "heavy-ball", "--beta", 0.5),
        lambda run: run.recipe.processes == {"heavy-ball": HeavyBall(3 / 50, 0.5)},
    ),
    "--beta2": (
        (*TINY, "--lr", 0.01, "--method", "adam", "--beta2", 0.5),
        lambda run: run.recipe.processes == {"adam": Adam(0.01, (0.9, 0.5))},
    ),
    "--eps": (
        (*TINY, "--lr", 0.01, "--method", "rmsprop", "--eps", 0.5),
        lambda run: run.recipe.processes == {"rmsprop": RMSProp(0.01, eps=0.5)},
    ),
    "--rho": (
        (*TINY, "--lr", 0.01, "--method", "sam", "--rho", 0.5),
        lambda run: run.recipe.processes == {"sam": SAM(0.01, 0.5)},
    ),
    "--batch-size": (
        (*TINY, "--lr", 0.01, "--method", "sgd", "--batch-size", 4),
        lambda run: run.recipe.processes == {"sgd": SGD(0.01, 4)},
    ),
    "--weight-decay": (
        (*TINY, "--lr", 0.01, "--weight-decay", 0.5),
        lambda run: run.recipe.processes == {"gd": WeightDecay(GradientDescent(0.01), 0.5)},
    ),
    "--warmup": (
        (*TINY, "--lr", 0.01, "--warmup", 5),
        lambda run: run.recipe.processes == {"gd": GradientDescent(Warmup(0.01, 5))},
    ),
    "--drop-at": (
        (*TINY, *STEP_SIZE, "--drop-at", 1, "--drop-to", 0.05),
        lambda run: run.recipe.processes["gd"].lr == Drop(0.1, 0.05, 1),
    ),
    "--drop-to": (
        (*TINY, *STEP_SIZE, "--drop-at", 1, "--drop-to", 0.02),
        lambda run: run.dataset["step_size"].values.tolist() == [[0.1, 0.02, 0.02]],
    ),
    "--until-edge-held": (
        (*TINY, "--lr", 5.0, "--until-edge-held", 1),
        lambda run: EdgeHeld(1) in run.recipe.until and run.outcomes["gd"].kind == "goal",
    ),
    "--until-accuracy": (
        (*DIGITS, *STEP_SIZE, "--until-accuracy", -1),
        lambda run: AccuracyAbove(-1.0) in run.recipe.until and run.outcomes["gd"].step == 0,
    ),
    "--until-loss": (
        (*TINY, *STEP_SIZE, "--until-loss", 1000),
        lambda run: LossBelow(1000.0) in run.recipe.until and run.outcomes["gd"].step == 0,
    ),
    "--probe": (
        ("chebyshev_mlp", "--no-figure", *STEP_SIZE, "--probe", "gradient-norm", "--probe", "distance"),
        lambda run: (
            {"gradient_norm", "distance_from_start"} <= set(run.dataset) and "sharpness" not in run.dataset
        ),
    ),
    "--top": ((*TINY[:3], *STEP_SIZE, "--no-figure", "-k", 2), lambda run: sharpness(run).k == 2),
    "--every": (
        (*TINY, *STEP_SIZE, "--every", 2),
        lambda run: run.dataset["sharpness"].isnull().values.tolist() == [[[False], [True], [False]]],
    ),
    "--rtol": (
        (*TINY, *STEP_SIZE, "--rtol", 0.01, "--probe", "midpoint-sharpness", "--probe", "sharpness"),
        lambda run: sharpness(run).rtol == 0.01 == probe(run, MidpointSharpness).rtol,
    ),
    "--above": ((*TINY, *STEP_SIZE, "--above", 0.01), lambda run: sharpness(run).above == 0.01),
    "--n": ((*TINY, *STEP_SIZE, "--n", 7), lambda run: run.manifest["data"]["samples"] == 7),
    "--classes": (
        (*DIGITS, *STEP_SIZE, "--classes", "3,8"),
        lambda run: run.manifest["data"]["classes"] == 2 and run.recipe.problem.data.classes == (3, 8),
    ),
    "--widths": ((*DIGITS, *STEP_SIZE), lambda run: run.recipe.problem.model.widths == (3,)),
    "--activation": (
        (*TINY, *STEP_SIZE, "--activation", "relu"),
        lambda run: run.recipe.problem.model.activation == "relu",
    ),
    "--loss": (
        (*DIGITS, *STEP_SIZE, "--loss", "ce"),
        lambda run: type(run.recipe.problem.criterion).__name__ == "CrossEntropy",
    ),
    "--chunk-size": ((*TINY, *STEP_SIZE, "--chunk-size", 6), lambda run: run.recipe.problem.chunk_size == 6),
    "--seed": ((*TINY, *STEP_SIZE, "--seed", 5), lambda run: run.recipe.seed == 5 == run.recipe.problem.seed),
    "--dtype": (
        (*TINY, *STEP_SIZE, "--dtype", "float64"),
        lambda run: run.record.checkpoint().tensors["/processes/gd/w"].dtype == torch.float64,
    ),
    "--set": (
        ("chebyshev_mlp", *STEP_SIZE, "--no-figure", "--set", "width=5"),
        lambda run: run.recipe.problem.model.width == 5,
    ),
    "--store": ((*TINY, *STEP_SIZE), lambda run: run.path.parent.name == "elsewhere"),
    "--name": ((*TINY, *STEP_SIZE, "--name", "my-own"), lambda run: "my-own" in run.path.name),
    "--figure": ((*TINY[:-1], *STEP_SIZE), lambda run: (run.path / "overview.png").stat().st_size > 10_000),
}

# option: (the command, what must be true of the answer)
SAID: dict[tuple[str, str], tuple[Sequence[object], Callable[[Answer], bool]]] = {
    ("run", "--folder"): (
        ("run", "cifar10_mlp", *STEP_SIZE, "--folder", "my-images"),
        lambda answer: answer.code == 2 and "my-images" in answer.err,
    ),
    ("run", "--device"): (
        ("run", "digits_mlp", *STEP_SIZE, "--device", "nonsense"),
        lambda answer: answer.code == 2 and "--device nonsense" in answer.err,
    ),
    ("run", "--resume"): (
        ("run", "--resume", "latest", "--steps", 5, "--no-figure"),
        lambda answer: "Took all 5 steps" in answer.out,
    ),
    ("flows", "PROBLEM"): (FLOWS, lambda answer: answer.code == 0 and "gradient" in answer.out),
    ("flows", "--steps"): ((*COMPARED, "--steps", 4, "--seeds", 1), lambda answer: "4 steps" in answer.out),
    ("flows", "--flow"): (FLOWS, lambda answer: "stable" not in answer.out),
    ("flows", "--seeds"): (
        (*COMPARED, "--steps", 3, "--seeds", 2),
        lambda answer: "2 seeds" in answer.out and " ± " in answer.out,
    ),
    ("flows", "--every"): ((*FLOWS, "--every", 2), lambda answer: probe(newest(), Sharpness).every == 2),
    ("flows", "--window"): ((*FLOWS, "--window", 2), lambda answer: "averages over 2 steps" in answer.out),
    ("flows", "--threads"): (
        (*FLOWS, "--threads", 0),
        lambda answer: answer.code == 2 and "--threads 0" in answer.err,
    ),
    ("flows", "--store"): ((*FLOWS, "--store", "mine"), lambda answer: newest("mine").path.exists()),
    ("flows", "--figure"): (FLOWS[:-1], lambda answer: (newest().path / "flows.png").stat().st_size > 10_000),
    ("flows", "--method"): (
        ("flows", *TINY[:3], *STEP_SIZE, "--method", "heavy-ball", "--flow", "stable", "--seeds", 1, "--steps", 3),
        lambda answer: newest().recipe.processes["run"] == HeavyBall(0.1, 0.9),
    ),
    ("show", "RUN"): (("show", "latest"), lambda answer: "checksum" in answer.out),
    ("show", "--store"): (("show", "--store", "others"), lambda answer: "no runs in others" in answer.out),
    ("show", "--rows"): (
        ("show", "latest", "--rows", 2),
        lambda answer: [line.split()[0] for line in answer.out.splitlines() if "±" in line] == ["0", "3"],
    ),
    ("show", "--figure"): (
        ("show", "latest", "--figure", "new/picture.svg"),
        lambda answer: Path("new/picture.svg").read_text(encoding="utf-8").count("<svg") == 1,
    ),
    ("measure", "TARGET"): (
        ("measure", *TINY[:3], "-k", 1, "--no-density"),
        lambda answer: "the start of chebyshev_mlp" in answer.out and "12 × 12" in answer.out,
    ),
    ("measure", "--matrix"): (
        ("measure", "latest", "--matrix", "ntk", "--no-density"),
        lambda answer: "neural tangent kernel, 20 × 20" in answer.out,
    ),
    ("measure", "--top"): (
        ("measure", "latest", "--top", 4, "--no-density"),
        lambda answer: answer.out.count("±") == 4 + 1,  # the trace has one too
    ),
    ("measure", "--rtol"): (
        ("measure", "latest", "--rtol", -1),
        lambda answer: answer.code == 2 and "rtol=-1" in answer.err,
    ),
    ("measure", "--step"): (
        ("measure", "latest", "--step", 0, "--no-density"),
        lambda answer: "step 0 of" in answer.out,
    ),
    ("measure", "--process"): (
        ("measure", "latest", "--process", "adam"),
        lambda answer: answer.code == 2 and "Choose from gd" in answer.err,
    ),
    ("measure", "--density"): (
        ("measure", "latest", "-k", 1, "--no-density"),
        lambda answer: "density" not in answer.out and not list(newest().path.glob("spectrum*")),
    ),
    ("measure", "--threads"): (
        ("measure", "latest", "--threads", 0),
        lambda answer: answer.code == 2 and "--threads 0" in answer.err,
    ),
    ("measure", "--figure"): (
        ("measure", "latest", "-k", 1, "--figure", "s.pdf"),
        lambda answer: Path("s.pdf").read_bytes().startswith(b"%PDF") and "density" in answer.out,
    ),
    ("measure", "--store"): (
        ("measure", "latest", "--store", "others"),
        lambda answer: answer.code == 2 and "others" in answer.err,
    ),
    ("selfcheck", "PROBLEM"): (
        ("selfcheck", *TINY[:3]),
        lambda answer: answer.out.count("right") == 3 and answer.code == 0,
    ),
    ("selfcheck", "--rtol"): (
        ("selfcheck", *TINY[:3], "--rtol", 0.25),
        lambda answer: answer.out.count("2.5e-01") == 3,
    ),
    ("data", "NAME"): (
        ("data", "imagenet"),
        lambda answer: answer.code == 2 and "Choose from cifar10" in answer.err,
    ),
    ("data", "--folder"): (("data", "--folder", "mine"), lambda answer: "mine" in answer.out),
    ("demo", "--steps"): (("demo", "--steps", 1, "--no-figure"), lambda answer: newest().recipe.steps == 1),
    ("demo", "--seed"): (
        ("demo", "--steps", 0, "--no-figure", "--seed", 7),
        lambda answer: newest().recipe.seed == 7 == newest().recipe.problem.seed,
    ),
    ("demo", "--threads"): (
        ("demo", "--threads", 0),
        lambda answer: answer.code == 2 and "--threads 0" in answer.err,
    ),
    ("demo", "--store"): (
        ("demo", "--steps", 0, "--no-figure", "--store", "mine"),
        lambda answer: newest("mine").path.exists(),
    ),
    ("demo", "--figure"): (
        ("demo", "--steps", 0, "--no-figure"),
        lambda answer: not list(newest().path.glob("*.png")) and "figure" not in answer.out,
    ),
}

# Options of a method are one value, which `run` and `flows` share.
METHOD = (
    "--lr",
    "--critical",
    "--beta",
    "--beta2",
    "--eps",
    "--rho",
    "--batch-size",
    "--weight-decay",
    "--drop-at",
)
METHOD += ("--drop-to", "--warmup")

# Options of a problem are one value, which `run` and these share; one of them shows that it arrives.
SHARED = ("flows", "measure", "selfcheck")


@pytest.mark.parametrize("option", RUN)
def test_option_of_run_changes_the_run(option: str, typed: Typed) -> None:
    words, holds = RUN[option]
    steps = () if "--steps" in words else ("--steps", 2)
    answer = typed("run", *words, *steps, "--store", "elsewhere")
    assert answer.code == 0, answer.err
    assert holds(newest("elsewhere"))


@pytest.mark.parametrize("case", SAID, ids=" ".join)
def test_option_changes_what_is_said(case: tuple[str, str], typed: Typed, request: pytest.FixtureRequest) -> None:
    words, holds = SAID[case]
    if "latest" in words:
        request.getfixturevalue("finished")
    answer = typed(*words)
    assert holds(answer), answer


@pytest.mark.parametrize("command", SHARED)
def test_options_of_a_problem_reach_it(command: str, typed: Typed) -> None:
    answer = typed(command, "digits_mlp", "--n", 10_000, *(STEP_SIZE if command == "flows" else ()))
    assert answer.code == 2
    assert "10000" in answer.err.replace(",", "")


COMMANDS = ("data", "demo", "flows", "measure", "run", "selfcheck", "show")


def test_no_option_is_without_a_case() -> None:
    problem = {"--n", "--classes", "--widths", "--activation", "--loss", "--chunk-size", "--folder", "--seed"}
    problem |= {"--dtype", "--device", "--set"}
    covered = {("run", option) for option in RUN} | set(SAID)
    covered |= {(command, option) for command in SHARED for option in problem}
    covered |= {("flows", option) for option in METHOD}
    assert covered == {
        (command, argument.names[0])
        for command in COMMANDS
        for argument in app[command].assemble_argument_collection()
        if argument.show
    }


def test_no_command_is_without_options_above() -> None:
    flags = {"--help", "-h", "--version"}
    assert {name for name in app if name not in flags} == {
        "data",
        "demo",
        "flows",
        "measure",
        "run",
        "selfcheck",
        "show",
        # Those are in test_advise, test_gallery_commands and test_film.
        "advise",
        "film",
        "gallery",
        "reproduce",
        "results",
        "verdicts",
    }


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("sharpness", "sharpness"),
        ("effective-sharpness", "effective_sharpness"),
        ("midpoint-sharpness", "midpoint_sharpness"),
        ("gradient-norm", "gradient_norm"),
        ("directional-curvature", "directional_curvature"),
        ("distance", "distance_from_start"),
        ("oscillation", "oscillation"),
        ("projections", "projection"),
        ("relative-progress", "relative_progress"),
        ("dominant-subspace", "dominant_fraction"),
        ("batch-sharpness", "batch_sharpness"),
    ],
)
def test_every_probe_has_a_name(name: str, series: str, typed: Typed) -> None:
    method = ("--method", "sgd", "--batch-size", 4)
    answer = typed("run", *TINY[:3], "--no-figure", *STEP_SIZE, *method, "--steps", 2, "--probe", name)
    assert answer.code == 0, answer.err
    assert series in newest().dataset


def test_the_alignment_of_jacobians_needs_layers(typed: Typed) -> None:
    words = ("digits_mlp", "--n", 12, "--widths", "3,3", *STEP_SIZE, "--steps", 1, "--no-figure")
    answer = typed("run", *words, "--probe", "jacobian-alignment")
    assert answer.code == 0, answer.err
    assert "jacobian_alignment" in newest().dataset


@pytest.mark.parametrize("matrix", ["hessian", "gauss-newton", "fisher", "empirical-fisher", "ntk"])
def test_every_matrix_can_be_measured(matrix: str, typed: Typed) -> None:
    answer = typed(
        "measure", "digits_mlp", "--n", 12, "--widths", "2", "--matrix", matrix, "-k", 1, "--no-density"
    )
    assert answer.code == 0, answer.err
    assert "Every error bound is within the tolerance" in answer.out or "exact" in answer.out


def test_the_problems_named_in_the_help_are_those_there_are() -> None:
    assert set(PROBLEMS) == set(NAMES)


def test_folders_are_looked_for_in_the_cache_of_this_test(tmp_path: Path) -> None:
    assert cache_folder().is_relative_to(tmp_path)


def test_gradient_norm_reads_every_so_many_steps(typed: Typed) -> None:
    typed("run", *TINY[:3], "--no-figure", *STEP_SIZE, "--steps", 2, "--probe", "gradient-norm", "--every", 2)
    assert probe(newest(), GradientNorm).every == 2
