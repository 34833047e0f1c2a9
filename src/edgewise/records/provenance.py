"""Where a number comes from: versions, source, hardware, and the command that was typed."""

import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from edgewise.foundation import JSON

_PACKAGES = ("edgewise", "torch", "numpy", "scipy", "xarray", "safetensors")

# A manifest is written before every run, however short; a repository that takes longer goes unnamed.
_GIT_PATIENCE = 0.2


def provenance() -> dict[str, JSON]:
    """The surroundings of this process, for a manifest; what cannot be found out is null.

    Returns:
        versions: of Python and of the packages that compute.
        source: the commit, and whether tracked files differ from it, of the repository around the working
            folder and of the one edgewise itself is run from.
        hardware: processor, cores (all, and those this process may use), threads, memory in bytes, and
            the names of the GPUs in use.
        platform, argv, pid: of this process.
    """
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "source": _sources(),
        "hardware": _hardware(),
        "platform": platform.platform(),
        "argv": list(sys.argv),
        "pid": os.getpid(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _sources() -> dict[str, JSON]:
    """Ask git three questions at once, and wait for all of them together."""
    here = Path(__file__)
    status = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")
    asked = [
        _ask_git(Path(), *status),
        _ask_git(here.parent, *status),
        # An installed package may lie in a virtual environment inside somebody's repository, whose
        # commit says nothing about it; only tracked code has a source.
        _ask_git(here.parent, "ls-files", "--error-unmatch", here.name),
    ]
    deadline = time.monotonic() + _GIT_PATIENCE
    working_folder, edgewise, tracked = (_answer(one, deadline) for one in asked)
    return {"working_folder": _source(working_folder), "edgewise": _source(edgewise if tracked else None)}


def _source(status: str | None) -> JSON:
    lines = (status or "").splitlines()
    commits = [line.split()[-1] for line in lines if line.startswith("# branch.oid")]
    if not commits:
        return None
    return {"commit": commits[0], "dirty": any(not line.startswith("#") for line in lines)}


def _ask_git(folder: Path, *question: str) -> "subprocess.Popen[str] | None":
    # fsmonitor is a command that a repository's own configuration would have us execute; and asking
    # must not refresh the index under the owner's hands.
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(folder), *question]
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return None


def _answer(asked: "subprocess.Popen[str] | None", deadline: float) -> str | None:
    if asked is None:
        return None
    with asked:
        try:
            text, _ = asked.communicate(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            asked.kill()
            return None
    return text if asked.returncode == 0 else None


def _hardware() -> dict[str, JSON]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # Only GPUs already in use: waking CUDA up takes long, and a process that has cannot fork.
    gpus = torch.cuda.device_count() if torch.cuda.is_initialized() else 0
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": usable,
        "torch_threads": torch.get_num_threads(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "gpus": [torch.cuda.get_device_name(i) for i in range(gpus)],
    }


def _processor() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine() or None
