"""A run: what was measured, what it means, and how to go on."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.diagnosis import Diagnosis, diagnose
from edgewise.dynamics.checkpoint import load
from edgewise.dynamics.fingerprint import fingerprint
from edgewise.dynamics.loop import descend
from edgewise.dynamics.observation import declare
from edgewise.dynamics.outcome import KINDS, Outcome
from edgewise.dynamics.process import begin
from edgewise.dynamics.progress import Progress, default_progress
from edgewise.dynamics.recipe import Problem, Recipe
from edgewise.foundation import JSON, RecordError, SettingError, decode
from edgewise.objectives import Objective
from edgewise.records import Record, RecordWriter

CHECKPOINT_SECONDS = 10.0
"""How often a run saves the state from which it could be resumed."""


@final
class Run:
    """A recorded run, finished or not.

    Every series is an attribute: `run.sharpness` is the `xarray.DataArray` of that name.

    Attributes:
        record: the folder it lives in.
        objective: what it descends; None after opening a run from disk, until it is needed.
    """

    def __init__(self, record: Record, objective: Objective | None = None) -> None:
        self.record = record
        self.objective = objective

    @property
    def path(self) -> Path:
        """The folder of the run."""
        return self.record.path

    @property
    def manifest(self) -> Mapping[str, JSON]:
        """Recipe, seeds, versions, hardware and data source, as written at the start."""
        return self.record.manifest

    @property
    def recipe(self) -> Recipe:
        """What was asked for.

        Raises:
            NounError: if it names a method, probe or problem that this installation does not have.
            RecordError: if the run has none, because it was watched and not made by edgewise, or its manifest was
                edited.
        """
        if self.manifest.get("watched"):
            raise RecordError(
                f"the recipe of {self.path}",
                "it is a training that was watched, of which edgewise has readings and no recipe",
                "Look at them with edgewise show, or ew.open_run(…).dataset",
            )
        if "recipe" not in self.manifest:
            raise RecordError(
                f"the recipe of {self.path}", "its run.json holds none", "Restore the file from a copy"
            )
        recipe: Recipe = decode(self.manifest["recipe"])
        return recipe

    @property
    def dataset(self) -> xr.Dataset:
        """All readings so far, labelled (process, step, rank), with units and a `time` coordinate."""
        dataset = self.record.dataset()
        order = [name for name in self.manifest["critical_formulas"] if name in dataset["process"].values]
        dataset = dataset.sel(process=order)
        formulas = self.manifest["critical_formulas"]
        # One label for a figure where all processes agree; text, so that every file format takes it.
        alike = len(set(formulas.values())) == 1
        formula = next(iter(formulas.values())) if alike else ", ".join(f"{k}: {v}" for k, v in formulas.items())
        for name, label in (
            ("critical_curvature", "formula"),
            ("sharpness", "critical_curvature"),
            ("edge_ratio", "critical_curvature"),
        ):
            if name in dataset:
                dataset[name].attrs[label] = formula
        dataset.attrs.update(name=self.record.name, path=str(self.path))
        return dataset

    def __getattr__(self, name: str) -> xr.DataArray:
        if not name.startswith("_"):
            dataset = self.dataset
            if name in dataset:
                return dataset[name]
            raise AttributeError(
                f"this run has no series {name!r}; it has {', '.join(map(str, dataset.data_vars))}"
            )
        raise AttributeError(name)

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """Why each process ended; empty while the run goes on, or if it was killed."""
        return {
            event.process: Outcome(event.kind, event.step, event.text)
            for event in self.record.events
            if event.process is not None and event.kind in KINDS
        }

    @property
    def seconds(self) -> Mapping[str, float]:
        """What advancing each process took on the clock, in all sittings of the run together.

        The value and the gradient at its point, which it shares with its probes, are not in it.
        """
        spent: dict[str, float] = {}
        for event in self.record.events:
            if event.process is not None and event.kind == "seconds":
                spent[event.process] = spent.get(event.process, 0.0) + float(event.text)
        return spent

    def verdict(self, process: str | None = None) -> Diagnosis:
        """Where the run stands in words, with the numbers that this rests on.

        Args:
            process: which process; None takes the first.
        """
        formulas = self.manifest["critical_formulas"]
        process = next(iter(formulas)) if process is None else process
        if process not in formulas:
            raise SettingError(
                f"process={process!r}", "the run has no such process", f"Choose from {', '.join(formulas)}"
            )
        dataset = self.dataset
        if process not in dataset["process"]:
            ended = self.outcomes.get(process)
            if ended is not None:
                raise RecordError(f"the verdict on {process}", f"it has no readings. {ended}", "Mend that first")
            raise RecordError(
                f"the verdict of {self.path}",
                "nothing has been read yet",
                "Type run.resume(), or wait for its first row",
            )
        one = dataset.sel(process=process).dropna("step", subset=["critical_curvature"])
        if one.sizes["step"] == 0:
            raise RecordError(
                f"the verdict of {self.path}",
                "no critical curvature of its method was read",
                "Read more of it; what a watch said of its training is in the events of the run",
            )
        one = one.where(one["critical_curvature"] > 0)  # zero where the gradient is, for methods that divide by it
        absent = np.full(one.sizes["step"], np.nan)

        def series(name: str) -> NDArray[np.float64]:
            if name not in one:
                return absent
            values = one[name].isel(rank=0) if "rank" in one[name].dims else one[name]
            return np.asarray(values.values, dtype=np.float64)

        # The sharpness of a preconditioned method has no edge ratio: it is the effective one that is critical.
        effective = bool(np.isfinite(series("effective_sharpness")).any())
        comparable = effective or bool(np.isfinite(series("edge_ratio")).any())
        read = "effective_sharpness" if effective else "sharpness"
        unlike = not comparable and bool(np.isfinite(series("sharpness")).any())
        return diagnose(
            one["step"].values,
            series("loss"),
            series(read) if comparable else absent,
            series("critical_curvature"),
            bounds=series(f"{read}_bound") if comparable else absent,
            formula=formulas[process],
            measured="effective sharpness" if effective or unlike else "sharpness",
        )

    def resume(
        self,
        steps: int | None = None,
        *,
        objective: Objective | None = None,
        progress: Progress | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ) -> "Run":
        """Go on from the last checkpoint, as if the run had never stopped: bit for bit.

        A run that was killed before its first checkpoint starts again.

        Args:
            steps: how many steps the run shall have **in all**, as in `evolve`; None takes what it was last
                asked for. Typing the same call twice is harmless.
            objective: what it descends, if that was made by hand and is not in memory any more.
            progress: what shows the progress; None shows a bar on a terminal.
            checkpoint_seconds: how often to save the state.

        Raises:
            RecordError: if the run is being written by another process, has no sound checkpoint, or the
                objective is not the one it was started with.
        """
        recipe = self.recipe
        target = self.objective_for(objective)
        rejected: tuple[RecordError, ...] = ()
        if self.record.checkpoints():
            checkpoint = self.record.checkpoint()
            step, rejected = checkpoint.step, checkpoint.rejected
            asked, states = load(checkpoint, target.device)
        elif self.manifest.get("forked_from"):
            raise RecordError(
                f"resuming {self.path}",
                "it was forked from another run and killed before its first checkpoint",
                "Fork that run again",
            )
        else:
            step, asked, states = 0, recipe.steps, begin(recipe, target)
        steps = asked if steps is None else steps
        if steps < step:
            raise SettingError(
                f"steps={steps}",
                f"the run already has {step} steps, and steps counts from the start",
                f"Type steps={step + 1000} for a thousand more",
            )
        with RecordWriter.reopen(self.path, step) as writer:
            if step == 0:
                declare(writer, recipe)
            for complaint in rejected:
                writer.event(step, None, "damaged checkpoint", str(complaint))
            descend(
                replace(recipe, steps=steps),
                target,
                writer,
                states,
                step,
                progress or default_progress(),
                checkpoint_seconds,
            )
        self.objective = target
        return self

    def objective_for(self, given: Objective | None = None) -> Objective:
        """What the run descends: as given, as in memory, or made again from the recipe; and surely the same one.

        Raises:
            RecordError: if it was made by hand and is not there, or is not the one the run was started with.
        """
        objective, recipe = given or self.objective, self.recipe
        if objective is None:
            if not isinstance(recipe.problem, Problem):
                raise RecordError(
                    f"resuming {self.path}",
                    "its objective was made by hand, which a manifest cannot hold",
                    "Make the same objective again and type run.resume(steps, objective=objective)",
                )
            objective = recipe.problem.objective()
        found, stored = fingerprint(objective), self.manifest["objective"]
        if found != stored:
            different = ", ".join(key for key in stored if stored[key] != found.get(key))
            raise RecordError(
                f"resuming {self.path}",
                f"this objective differs from the one the run was started with in its {different}",
                "Use the same module, initialisation, data, precision and versions (run.manifest says which)",
            )
        return objective

    def __repr__(self) -> str:
        return f"Run({json.dumps(str(self.path))})"


def open_run(path: str | Path) -> Run:
    """Open a run from its folder: its readings, its verdict, and the means to resume it.

    Raises:
        RecordError: if the folder is not a run, is damaged, or was written by a newer edgewise.
    """
    return Run(Record.open(path))
