import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from edgewise.records import provenance

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run([*GIT, "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_names_what_computes_and_where() -> None:
    found = provenance()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert found["versions"]["python"] == platform.python_version()
    assert found["hardware"]["torch_threads"] == torch.get_num_threads()
    assert 1 <= found["hardware"]["usable_cores"] <= found["hardware"]["cores"]
    assert found["hardware"]["memory"] > 2**26
    assert found["hardware"]["cpu"]
    assert found["argv"] == sys.argv
    assert found["pid"] == os.getpid()
    assert platform.node() not in found["platform"].split("-")


def test_the_commit_of_the_working_folder_and_whether_it_is_clean(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD").strip()
    assert provenance()["source"]["working_folder"] == {"commit": commit, "dirty": False}
    (repository / "untracked").write_text("a run folder, say")
    assert provenance()["source"]["working_folder"] == {"commit": commit, "dirty": False}
    (repository / "file").write_text("2")
    assert provenance()["source"]["working_folder"] == {"commit": commit, "dirty": True}


def test_a_folder_outside_any_repository_has_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert provenance()["source"]["working_folder"] is None


def test_without_git_there_is_no_source(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert provenance()["source"] == {"working_folder": None, "edgewise": None}


def test_a_slow_git_is_not_waited_for(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = repository / "git"
    slow.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(repository))
    start = time.monotonic()
    assert provenance()["source"] == {"working_folder": None, "edgewise": None}
    assert time.monotonic() - start < 30


def test_a_command_in_the_configuration_of_a_repository_is_not_executed(repository: Path) -> None:
    canary = repository / "executed"
    hook = repository / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {canary}\n")
    hook.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(hook))
    assert provenance()["source"]["working_folder"] is not None
    assert not canary.exists()
    git(repository, "status")
    assert canary.exists()
