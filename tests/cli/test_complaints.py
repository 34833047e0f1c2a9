"""Whatever goes wrong ends in one sentence and an exit code."""

import subprocess
import sys

import pytest

import edgewise
from conftest import TINY, Typed
from edgewise.dynamics import Run

RUN = ("run", *TINY)

MISTAKES = {
    "nothing to train": (
        ("run",),
        "a run without a problem: there is nothing to train. Choose from chebyshev_mlp",
    ),
    "unknown problem": (
        ("run", "nonsense", "--lr", 1),
        "the problem 'nonsense': there is no problem of that name",
    ),
    "no step size": (RUN, "Type --lr 0.01, or --critical 200"),
    "two step sizes": ((*RUN, "--lr", 0.1, "--critical", 3), "--critical 20 is the same as --lr 0.1"),
    "step size of zero": ((*RUN, "--lr", 0, "--critical", 3), "Leave one out"),
    "critical of zero": ((*RUN, "--critical", 0), "a critical curvature is positive and finite"),
    "negative step size": ((*RUN, "--lr", -1), "lr=-1.0: a step size is a positive, finite number"),
    "momentum of gd": (
        (*RUN, "--lr", 1, "--beta", 0.5),
        "--beta 0.5 with --method gd: it has none; those that do are heavy-ball, nesterov,",
    ),
    "sgd that is none": ((*RUN, "--lr", 1, "--method", "sgd"), "Type --batch-size 32, or --method gd"),
    "no edge of its own": (
        (*RUN, "--critical", 9, "--method", "normalized-gd"),
        "--critical 9 with --method normalized-gd: where it loses stability is not a multiple of 1/η alone",
    ),
    "negative decay": ((*RUN, "--lr", 1, "--weight-decay", -1), "--weight-decay -1: it is not negative"),
    "no flow": (("flows", "digits_mlp", "--lr", 1, "--method", "muon", "--flow", "central"), "Muon"),
    "no seeds": (("flows", "digits_mlp", "--lr", 1, "--seeds", 0), "--seeds 0: it is counted from 1"),
    "nothing to compare": (("flows", "--lr", 1), "a comparison without a problem"),
    "half a drop": ((*RUN, "--lr", 1, "--drop-at", 5), "Type --drop-at 5 --drop-to 0.5"),
    "other half": ((*RUN, "--lr", 1, "--drop-to", 0.25), "Type --drop-at 500 --drop-to 0.25"),
    "top of nothing": ((*RUN, "--lr", 1, "--probe", "distance", "--above", 0.5), "Add --probe sharpness"),
    "edge unseen": (
        ("run", "chebyshev_mlp", "--lr", 1, "--probe", "distance", "--until-edge-held", 9),
        "--until-edge-held 9: no sharpness is going to be read. Add --probe sharpness",
    ),
    "unknown key": (
        (*RUN, "--lr", 1, "--set", "depth=3"),
        "its recipe has no such option. Choose from degree, n, width",
    ),
    "unknown flag": (
        (*RUN, "--lr", 1, "--widths", "3"),
        "its recipe has no such option. Choose from degree, n, width",
    ),
    "no value": ((*RUN, "--lr", 1, "--set", "degree"), "--set degree: it takes a name and a value"),
    "no number": (
        (*RUN, "--lr", 1, "--set", "degree=two"),
        "degree=two: it takes a whole number. Type degree=1000",
    ),
    "twice": ((*RUN, "--lr", 1, "--n", 5, "--set", "n=6"), "--set n=6: n is given twice. Give it once"),
    "no data": (("run", "cifar10_mlp", "--lr", 1), "Type edgewise data cifar10 to download it"),
    "no run": (("show", "latest"), "runs"),
    "listing a figure": (("show", "--figure", "a.png"), "Type edgewise show latest --figure a.png"),
    "resuming nothing": (("run", "--resume", "latest"), "runs"),
    "problem at a step": (("measure", "chebyshev_mlp", "--step", 3), "a problem has only its start"),
    "figure of nothing": (("measure", "chebyshev_mlp", "--no-density", "--figure", "a.png"), "Leave one out"),
    "unknown option": ((*RUN, "--lrr", 1), "Unknown option: --lrr. Did you mean --lr? Type edgewise run --help"),
    "unknown command": (("rnu",), 'Did you mean "run"?'),
    "not a number": ((*RUN, "--lr", "big"), 'unable to convert "big" into float. Type edgewise run --help'),
    "not a choice": ((*RUN, "--lr", 1, "--method", "lion"), 'Choose from: "gd", "heavy-ball"'),
    "missing argument": (("selfcheck",), "requires an argument. Type edgewise selfcheck --help"),
    "unknown option of all": (("--loud",), "--help"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_code_2(case: str, typed: Typed) -> None:
    words, sentence = MISTAKES[case]
    answer = typed(*words)
    assert answer.code == 2
    assert sentence in answer.err
    complaint = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    assert len(complaint) == 1 and complaint[0].endswith(".")
    assert "Traceback" not in answer.err


def test_debug_shows_the_traceback_and_the_sentence(typed: Typed) -> None:
    for words in (("--debug", "show", "latest"), ("show", "latest", "--debug")):
        answer = typed(*words)
        assert answer.code == 2
        assert "Traceback (most recent call last)" in answer.err
        assert answer.err.splitlines()[-1].startswith("error: ")


def test_what_nobody_expected_is_one_sentence_and_exit_code_1(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("so it is\nand more")

    monkeypatch.setattr("edgewise.dynamics.evolve", broken)
    answer = typed("demo")
    assert answer.code == 1
    assert (
        answer.err.splitlines()[-1]
        == "error: ZeroDivisionError: so it is. Type the same with --debug for the traceback."
    )


def test_interrupted_before_it_runs(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgewise.dynamics.evolve", interrupted)
    assert typed("demo").code == 130


def test_a_recipe_is_fixed_once_it_runs(finished: Run, typed: Typed) -> None:
    answer = typed("run", "digits_mlp", "--resume", "latest", "--lr", 1, "--top", 2, "--seed", 3, "--name", "x")
    assert answer.code == 2
    assert "--resume with digits_mlp, --lr, --top, --seed, --name: a run goes on with the recipe" in answer.err
    assert "--n with a run: the run knows its problem" in typed("measure", "latest", "--n", 3).err


def test_steps_that_are_already_done(finished: Run, typed: Typed) -> None:
    answer = typed("run", "--resume", "latest", "--steps", 1)
    assert answer.code == 2
    assert "steps=1" in answer.err


def test_help_and_version_need_no_torch() -> None:
    code = (
        "import sys; from edgewise.cli import main; "
        "assert main(['run', '--help']) == 0 and main(['--version']) == 0 and main(['rnu']) == 2; "
        "assert not {'torch', 'numpy', 'matplotlib'} & set(sys.modules), 'too much was imported'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"edgewise {edgewise.__version__}" in done.stdout
    assert "--critical" in done.stdout


def test_it_is_a_module_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgewise", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"edgewise {edgewise.__version__}\n")
