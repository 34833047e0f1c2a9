"""`edgewise advise`, over scripts and over folders of checkpoints."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
from torch import nn

from conftest import Typed
from edgewise.cli.commands.advise import _table
from edgewise.watch import KINDS, CheckpointReadings, Losses, OfflineAdvice, Reading, Watch
from edgewise.watch import advise as judged

TRAINING = """
    import sys
    import time
    import torch
    from torch import nn
    import edgewise as ew

    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(32, 4, generator=generator)
    targets = torch.randn(32, 1, generator=generator)

    def make():
        model = nn.Linear(4, 1)
        return model, torch.optim.SGD(model.parameters(), lr=0.05), nn.MSELoss(), (inputs, targets)

    def train(steps):
        model, optimizer, criterion, batch = make()
        watch = ew.Watch(model, optimizer, criterion, batch, budget=0.5)
        for step in range(steps):
            loss = criterion(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
            time.sleep(0.005)  # as long as a step takes that is worth watching
        print("trained", watch.steps)

    if __name__ == "__main__":
"""


def script(main: str, name: str = "train.py") -> Path:
    path = Path(name)
    path.write_text(dedent(TRAINING) + "".join(f"    {line}\n" for line in dedent(main).strip().splitlines()))
    return path


def test_a_script_is_run_and_advised(typed: Typed) -> None:
    answer = typed("advise", script("train(200)"))
    assert answer.code == 0, answer.err
    assert "trained 200" in answer.out
    said = dict(line.split("  ", 1) for line in answer.out.splitlines()[1:] if not line.startswith(" "))
    assert "at step 200" in said["verdict"]
    assert said["spikes"].strip() == "none"
    assert said["advice"].strip().startswith("The largest stable step size now ")
    assert "What breaks first if it is raised" in answer.out
    # Of which kinds they are: norms alone say nothing of an edge.
    counted = re.match(r" *(\d+) \((.*)\) in 200 steps, for [\d.]+% of the training time$", said["readings"])
    assert counted is not None, said["readings"]
    kinds = dict(kind.rsplit(" ", 1) for kind in counted[2].split(", "))
    assert set(kinds) <= set(KINDS) and "critical sharpness" in kinds
    assert sum(map(int, kinds.values())) == int(counted[1])


def test_steps_end_it_early(typed: Typed) -> None:
    answer = typed("advise", script("train(100_000)"), "--steps", 25)
    assert answer.code == 0, answer.err
    assert not answer.out.startswith("trained")
    assert "in 25 steps, for " in answer.out


def test_no_handler_of_the_script_keeps_it_going(typed: Typed) -> None:
    text = """
        try:
            train(100_000)
        except Exception:
            print("handled")
    """
    answer = typed("advise", script(text), "--steps", 5)
    assert "handled" not in answer.out
    assert "in 5 steps, for " in answer.out


def test_the_script_has_its_own_arguments(typed: Typed) -> None:
    answer = typed("advise", script("print(sys.argv); train(3)"), "--", "--epochs", 3, "-v", "--steps")
    assert "['train.py', '--epochs', '3', '-v', '--steps']" in answer.out


def test_everything_is_put_back(typed: Typed) -> None:
    before = Watch.__init__, Watch.step, list(sys.argv), list(sys.path)
    typed("advise", script("train(3)"))
    typed("advise", script("raise ValueError"))
    assert (Watch.__init__, Watch.step, sys.argv, sys.path) == before


def test_every_watch_is_heard(typed: Typed) -> None:
    answer = typed("advise", script("train(20); train(30)"))
    assert "watch     watch 1" in answer.out and "watch     watch 2" in answer.out
    assert "in 20 steps" in answer.out and "in 30 steps" in answer.out


def test_a_script_without_a_watch_is_told_the_three_lines(typed: Typed) -> None:
    answer = typed("advise", script("print('done')"))
    assert answer.code == 2
    assert answer.out == "done\n"
    assert answer.err == (
        "error: train.py: it made no watch, so there is nothing to say. Add three lines:\n"
        "    import edgewise as ew\n"
        "    watch = ew.Watch(model, optimizer, criterion, probe_batch)  # before the loop\n"
        "    watch.step(loss)                                            # after optimizer.step()\n"
    )


def test_a_watch_that_was_never_stepped_is_said(typed: Typed) -> None:
    text = "model, optimizer, criterion, batch = make()\nwatch = ew.Watch(model, optimizer, criterion, batch)"
    answer = typed("advise", script(text))
    assert "Cannot tell: train.py never called watch.step(loss); call it after optimizer.step()." in answer.out


def test_a_script_that_fails_shows_its_traceback_and_what_was_seen(typed: Typed) -> None:
    answer = typed("advise", script("train(30)\nraise KeyError('of its own')"))
    assert answer.code == 1
    assert "KeyError: 'of its own'" in answer.err
    assert "runpy" not in answer.err
    assert "in 30 steps" in answer.out


def test_a_script_that_fails_before_it_watches(typed: Typed) -> None:
    answer = typed("advise", script("import nothing_of_that_name"))
    assert answer.code == 1
    assert "No module named 'nothing_of_that_name'" in answer.err
    assert "three lines" not in answer.err


@pytest.mark.parametrize(("ending", "code"), [("sys.exit(3)", 3), ("sys.exit()", 0), ("sys.exit('why')", 1)])
def test_the_exit_code_of_the_script_is_kept(ending: str, code: int, typed: Typed) -> None:
    answer = typed("advise", script(f"train(3)\n{ending}"))
    assert answer.code == code
    assert ("why" in answer.err) == ("why" in ending)


def test_ctrl_c_ends_the_script_with_advice(typed: Typed) -> None:
    answer = typed("advise", script("train(20)\nraise KeyboardInterrupt"))
    assert answer.code == 130
    assert "in 20 steps" in answer.out


@pytest.mark.slow
def test_it_works_in_a_process_of_its_own(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "edgewise", "advise", str(script("train(30)")), "--threads", "1"]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    assert "The largest stable step size now " in answer.stdout


class TestFolder:
    @staticmethod
    def folder(*steps: int) -> Path:
        path = Path("checkpoints")
        path.mkdir()
        for step in steps:
            torch.manual_seed(step)
            torch.save(nn.Linear(4, 1).state_dict(), path / f"step-{step}.pt")
        return path

    def test_every_checkpoint_is_a_row(self, typed: Typed) -> None:
        script("raise SystemExit('not run')")
        answer = typed("advise", self.folder(9, 10, 200), "--script", "train.py:make")
        assert answer.code == 0, answer.err
        rows = [line.split()[:2] for line in answer.out.splitlines() if "step-" in line]
        assert rows == [["9", "step-9.pt"], ["10", "step-10.pt"], ["200", "step-200.pt"]]
        headings = answer.out[: answer.out.index("step-9")]
        assert all(
            word in headings for word in ("checkpoint", "loss", "lr", "effective", "critical", "edge ratio")
        )
        assert "batch" not in headings
        assert "advice  The largest stable step size now is about" in answer.out

    def test_the_edge_ratio_is_that_of_the_model(self, typed: Typed) -> None:
        script("pass")
        answer = typed("advise", self.folder(1), "--script", "train.py:make")
        generator = torch.Generator().manual_seed(0)
        inputs = torch.cat([torch.randn(32, 4, generator=generator), torch.ones(32, 1)], 1).double()
        sharpness = float(torch.linalg.eigvalsh(2 * inputs.T @ inputs / 32)[-1])
        assert f"about {2 / sharpness:.3g} " in answer.out

    def test_batches(self, typed: Typed) -> None:
        script("pass")
        answer = typed("advise", self.folder(1), "--script", "train.py:make", "--batch-size", 4)
        assert "by mean-square sharpness at step 1" in answer.out

    def test_a_file_that_is_refused_is_named(self, typed: Typed) -> None:
        script("pass")
        folder = self.folder(1)
        (folder / "step-2.pt").write_bytes(b"nothing")
        answer = typed("advise", folder, "--script", "train.py:make")
        assert answer.code == 1
        assert "refused: the file checkpoints/step-2.pt: it is truncated or corrupt" in answer.err
        assert "advice  The largest stable step size" in answer.out

    def test_threads(self, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[int] = []
        monkeypatch.setattr(torch, "set_num_threads", seen.append)
        script("pass")
        typed("advise", self.folder(1), "--script", "train.py:make", "--threads", 3)
        assert seen == [3, 1]

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ((), "the folder checkpoints alone: weights alone have no loss. Type --script train.py:make"),
            (
                ("--script", "train.py"),
                "--script train.py: it names a function of a script. Type --script train.py:make.",
            ),
            (
                ("--script", "no.py:make"),
                "the script no.py: there is no such file. Give the path of a Python script.",
            ),
            (("--script", "train.py:no"), "--script train.py:no: train.py has no function no. Define no(), which"),
            (("--script", "train.py:inputs"), "train.py has no function inputs"),
            (
                ("--script", "train.py:train"),
                "--script train.py:train: it fails with TypeError: train() missing 1",
            ),
            (
                ("--script", "one.py:make"),
                "make() returns Linear. Return model, optimizer, criterion, probe_batch.",
            ),
            (
                ("--script", "one.py:pair"),
                "pair() returns 2 things. Return model, optimizer, criterion, probe_batch.",
            ),
            (
                ("--script", "train.py:make", "--steps", 3),
                "--steps with the folder checkpoints: nothing is run there.",
            ),
            (
                ("--script", "train.py:make", "word"),
                "arguments with the folder checkpoints: nothing is run there.",
            ),
        ],
    )
    def test_what_cannot_be_is_refused(self, given: tuple[Any, ...], sentence: str, typed: Typed) -> None:
        script("pass")
        Path("one.py").write_text(
            "from torch import nn\ndef make(): return nn.Linear(1, 1)\ndef pair(): return 1, 2\n"
        )
        answer = typed("advise", self.folder(1), *given)
        assert answer.code == 2
        assert sentence in answer.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("nowhere.py",), "the script nowhere.py: there is no such file. Give the path of a Python script."),
        (("train.py", "--steps", 0), "--steps 0: nothing can be said before a step. Type --steps 500."),
        (
            ("train.py", "--script", "a.py:b"),
            "--script with the script train.py: it goes with a folder. Leave it out.",
        ),
        (("train.py", "--batch-size", 3), "--batch-size with the script train.py: it goes with a folder."),
    ],
)
def test_what_cannot_be_is_refused(given: tuple[Any, ...], sentence: str, typed: Typed) -> None:
    script("pass")
    answer = typed("advise", *given)
    assert answer.code == 2
    assert sentence in answer.err


def test_a_critical_sharpness_beyond_what_was_looked_at_is_shown_as_a_bound(tmp_path: Path) -> None:
    def at(step: int, value: float, low: float, high: float) -> CheckpointReadings:
        row = Reading(
            step=step, kind="critical sharpness", value=value, low=low, high=high, critical=10.0, lr=0.2,
            passes=7.0, seconds=0.1,
        )  # fmt: skip
        return CheckpointReadings(path=tmp_path / f"{step}.pt", step=step, loss=1.0, lr=0.2, readings=(row,))

    rows = (at(1, 0.0, 0.0, 0.01), at(2, math.inf, 5e4, math.inf), at(3, 5.0, 4.5, 5.5))
    found = OfflineAdvice(checkpoints=rows, refused=(), advice=judged([], Losses(), [], 0.2))
    cells = list(_table(found, tmp_path).columns[-1].cells)
    assert cells == ["< 0.001", "> 5e+03", "0.50 ± 0.05"]
