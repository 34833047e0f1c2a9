"""Which room imports which: the contracts of pyproject.toml, held here too."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "numpy", "scipy", "xarray", "matplotlib", "rich", "cyclopts", "sklearn", "pooch", "safetensors")


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


def test_the_contracts_are_kept() -> None:
    lint = str(Path(sys.executable).with_name("lint-imports"))
    answer = run(lint, "--no-cache")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert " 0 broken" in answer.stdout


def test_importing_is_light() -> None:
    """The facade imports nothing; measuring imports nothing that draws, talks, or reads data."""
    script = f"""
import sys, edgewise
heavy = set({HEAVY!r})
print(*sorted(heavy & set(sys.modules)))
import edgewise.dynamics, edgewise.problems, edgewise.records, edgewise.diagnosis
print(*sorted(heavy & set(sys.modules)))
"""
    answer = run(sys.executable, "-c", script)
    assert answer.returncode == 0, answer.stderr
    facade, rooms = answer.stdout.split("\n")[:2]
    assert facade == ""
    assert set(rooms.split()) == {"torch", "numpy", "scipy", "xarray", "safetensors"}


def test_watching_draws_nothing() -> None:
    """A watch on a cluster needs no plotting library, nor any trainer: only the figure of a spike draws."""
    script = """
import sys
import edgewise as ew
ew.Watch
from edgewise.watch.spikes import SpikeEvidence, SpikeHistory, SpikeReport
unused = {"matplotlib", "PIL", "pandas", "xarray", "sklearn", "rich", "cyclopts", "scipy.stats", "lightning",
          "transformers", "accelerate", "tensorboard", "wandb", "mlflow", "trackio"}
print(*sorted(unused & set(sys.modules)))
columns = {"step": (1, 2), "loss": (1.0, 9.0), "lr": (0.1, 0.1), "gradient_norm": (1.0, 5.0),
           "update_norm": (0.1, 0.5)}
report = SpikeReport(
    step=2, cause="unknown", because=("nothing was measured",), ruled_out=(), advice=("wait",),
    evidence=SpikeEvidence(step=2, loss_before=1.0, loss_at=9.0), history=SpikeHistory(**columns))
print(report.figure().get_axes()[0].get_ylabel())
"""
    answer = run(sys.executable, "-c", script)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split("\n")[:2] == ["", "training loss"]
