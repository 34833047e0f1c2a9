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
