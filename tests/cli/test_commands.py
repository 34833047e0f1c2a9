"""The commands as a user meets them."""

import json
import math
import sqlite3
from pathlib import Path

import pytest
import torch

from conftest import TINY, Typed, newest
from edgewise import Objective, evolve
from edgewise.data import REMOTES
from edgewise.dynamics import Run, Sharpness
from edgewise.methods import GradientDescent, HeavyBall
from edgewise.objectives import DerivativeCheck, SelfCheck


def test_demo_says_its_verdict_and_where_everything_lies(typed: Typed) -> None:
    answer = typed("demo", "--steps", 12)
    assert answer.code == 0, answer.err
    run = newest()
    said = dict(line.split("  ", 1) for line in answer.out.splitlines())
    assert said["verdict"].strip() == str(run.verdict())
    assert said["ended"].strip() == "Took all 12 steps."
    assert said["run"].strip() == f"runs/{run.path.name}"
    assert Path(said["figure"].strip()).stat().st_size > 10_000
    assert "2/η = 14" in answer.err and "time left" in answer.err
    assert (run.dataset["sharpness_bound"] > 0).all()
    assert run.dataset.sizes == {"process": 1, "step": 13, "rank": 3}


def test_critical_puts_the_edge_there(typed: Typed) -> None:
    for words in ((), ("--method", "heavy-ball", "--beta", 0.8)):
        typed("run", *TINY, "--critical", 40, "--steps", 0, *words)
        assert newest().dataset["critical_curvature"].values.tolist() == [[pytest.approx(40, rel=1e-12)]]


def test_a_goal_ends_a_run_and_says_so(typed: Typed) -> None:
    answer = typed("run", *TINY, "--lr", 0.1, "--until-loss", 1e6)
    assert answer.code == 0
    assert "Stopped at step 0: the loss is below 1e+06." in answer.out


def test_divergence_is_a_result_not_an_error(typed: Typed) -> None:
    answer = typed("run", *TINY, "--lr", 1e4, "--steps", 50)
    assert answer.code == 0
    assert newest().outcomes["gd"].kind in ("diverged", "non-finite")


def test_resuming_is_the_straight_run(typed: Typed) -> None:
    typed("run", *TINY, "--lr", 0.1, "--steps", 6, "--store", "straight")
    typed("run", *TINY, "--lr", 0.1, "--steps", 2, "--store", "halted")
    answer = typed("run", "--resume", "latest", "--steps", 6, "--store", "halted", "--no-figure")
    assert answer.code == 0, answer.err
    straight, halted = newest("straight").dataset, newest("halted").dataset
    assert straight.drop_attrs(deep=False).equals(halted.drop_attrs(deep=False))


def test_show_lists_the_runs(finished: Run, typed: Typed) -> None:
    answer = typed("show")
    assert answer.out == f"{finished.path.name}  {finished.verdict()}\n"


def test_show_says_what_was_run_with_what(finished: Run, typed: Typed) -> None:
    out = typed("show", finished.path).out
    manifest = finished.manifest
    for words in (
        "chebyshev_mlp: OneHiddenLayer(width=4, activation='tanh'",
        "SquaredError()",
        "gd: GradientDescent(lr=0.1), unstable above 2/η",
        "Sharpness(k=1, rtol=0.002",
        manifest["data"]["checksum"],
        manifest["data"]["source"],
        f"torch {torch.__version__}",
        manifest["environment"]["hardware"]["cpu"],
        "Took all 3 steps.",
        str(finished.verdict()),
    ):
        assert words in out, words
    assert out.count("±") == 4


def test_show_goes_without_the_nouns_of_the_recipe(finished: Run, typed: Typed) -> None:
    path = finished.path / "run.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["recipe"]["probes"]["tuple"].append({"noun": "gone:Probe", "depth": 2})
    manifest["environment"] = {}
    path.write_text(json.dumps(manifest), encoding="utf-8")
    answer = typed("show", "latest", "--figure", "a.png")
    assert answer.code == 0, answer.err
    assert "Probe(depth=2)" in answer.out
    assert "commit" in answer.out and "unknown" in answer.out


def test_show_of_a_run_killed_before_its_first_row(finished: Run, typed: Typed) -> None:
    with sqlite3.connect(finished.path / "series.sqlite") as connection:
        connection.execute("DELETE FROM readings")
        connection.execute("DELETE FROM events")
    connection.close()
    answer = typed("show", "latest")
    assert answer.code == 0, answer.err
    assert "nothing has been read yet" in answer.out
    assert f"edgewise run --resume runs/{finished.path.name}" in answer.out
    assert "nothing has been read yet" in typed("show").out


def test_show_of_several_processes_made_by_hand(typed: Typed) -> None:
    bowl = Objective.from_function(lambda w: 3 * (w**2).sum(), 2, start=torch.ones(2))
    methods = {"plain": GradientDescent(0.1), "heavy": HeavyBall(0.1, 0.5)}
    evolve(methods, bowl, 2, [Sharpness()], store="runs")
    out = typed("show", "latest").out
    assert "an objective made by hand" in out
    assert out.count("verdict") == 2 and "heavy: " in out
    assert "made by hand, which a manifest cannot hold" in typed("measure", "latest").err


def test_a_broken_run_is_listed_with_its_complaint(finished: Run, typed: Typed) -> None:
    (finished.path / "run.json").write_text("{", encoding="utf-8")
    answer = typed("show")
    assert answer.code == 0
    assert "it is not JSON" in answer.out


def test_measure_agrees_with_the_run(typed: Typed) -> None:
    typed("run", *TINY, "--lr", 0.1, "--steps", 3, "--dtype", "float64", "--rtol", 1e-8)
    run = newest()
    answer = typed("measure", "latest", "-k", 2, "--rtol", 1e-8)
    assert answer.code == 0, answer.err
    assert f"step 3 of runs/{run.path.name}" in answer.out
    first = next(line.split() for line in answer.out.splitlines() if line.split()[:1] == ["1"])
    sharpness = float(run.dataset["sharpness"].values[0, -1, 0])
    assert float(first[1]) == pytest.approx(sharpness, rel=1e-5)
    assert float(first[-1]) == pytest.approx(sharpness * 0.1 / 2, abs=1e-3)
    assert (run.path / "spectrum-hessian.png").exists()


def test_selfcheck_fails_with_exit_code_1(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = DerivativeCheck(derivative="gradient", error=math.inf, tolerance=1e-4, worst="layer.weight")
    found = SelfCheck(rows=(wrong,), offender="layer", kind="LayerNorm")
    monkeypatch.setattr("edgewise.objectives.selfcheck", lambda *_, **__: found)
    answer = typed("selfcheck", *TINY[:3])
    assert answer.code == 1
    assert "wrong, most in layer.weight" in answer.out
    assert found.sentence in answer.out


def test_data_lists_what_is_here_and_what_is_not(typed: Typed) -> None:
    out = typed("data").out
    assert "digits  here" in out and "sha256:" in out
    for name in REMOTES:
        assert f"{name}  not here" in out
        assert f"Type edgewise data {name} to download it" in out


def test_data_reads_a_folder(typed: Typed) -> None:
    place = Path("mine/tinyshakespeare")
    place.mkdir(parents=True)
    (place / "input.txt").write_text("to be or not to be, " * 10, encoding="utf-8")
    assert "tinyshakespeare  here" in typed("data", "--folder", "mine").out


def test_data_downloads(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(name: str, folder: Path | None, progress: object) -> Path:
        # As pooch does with every file.
        progress.total = 10  # type: ignore[attr-defined]
        progress.update(4)  # type: ignore[attr-defined]
        progress.reset()  # type: ignore[attr-defined]
        progress.update(10)  # type: ignore[attr-defined]
        progress.close()  # type: ignore[attr-defined]
        asked.append((name, folder))
        return Path("there")

    monkeypatch.setattr("edgewise.data.download", download)
    answer = typed("data", "cifar10", "--folder", "mine")
    assert answer.code == 0, answer.err
    assert asked == [("cifar10", Path("mine"))]
    assert "downloaded and checked, in there" in answer.out


def test_threads_are_put_back(typed: Typed) -> None:
    before = torch.get_num_threads()
    typed("run", *TINY, "--lr", 0.1, "--steps", 0, "--threads", before + 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("classes=3,8", (3, 8)),
        ("classes=none", None),
        ("classes= 8 , 3,1", (8, 3, 1)),
    ],
)
def test_assignments_are_of_the_type_of_the_option(assignment: str, value: object, typed: Typed) -> None:
    typed(
        "run",
        "digits_mlp",
        "--lr",
        0.1,
        "--steps",
        0,
        "--n",
        20,
        "--widths",
        "2",
        "--no-figure",
        "--set",
        assignment,
    )
    assert newest().recipe.problem.data.classes == value


def test_truth_and_precision_are_assigned_too(typed: Typed) -> None:
    words = ("--lr", 0.1, "--steps", 0, "--n", 20, "--no-figure", "--top", 1)
    answer = typed(
        "run", "digits-cnn", *words, "--set", "channels=2", "--set", "batch-norm=yes", "--set", "dtype=float64"
    )
    assert answer.code == 0, answer.err
    problem = newest().recipe.problem
    assert (problem.model.channels, problem.model.batch_norm, problem.dtype) == ((2,), True, torch.float64)
    assert (
        "batch_norm=maybe: it takes true or false"
        in typed("run", "digits-cnn", *words, "--set", "batch_norm=maybe").err
    )
