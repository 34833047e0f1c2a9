"""What was found: the verdicts on one exhibit at one scale, kept in the store beside its figure."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from edgewise.claims import Runs, Verdict, judge
from edgewise.foundation import EdgewiseError, RecordError, decode, encode, first_line
from edgewise.reproduction.exhibit import Exhibit
from edgewise.reproduction.scale import Scale


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The verdicts on one exhibit.

    Attributes:
        key: of the paper.
        exhibit: its name.
        scale: at which it was reproduced.
        seeds: how many were asked for.
        verdicts: one for each claim.
        records: the folders of the records, below the store.
        seconds: what making those records took, all together.
    """

    key: str
    exhibit: str
    scale: str
    seeds: int
    verdicts: tuple[Verdict, ...]
    records: tuple[str, ...]
    seconds: float

    def is_of(self, exhibit: Exhibit) -> bool:
        """Whether what was judged is what the exhibit claims today."""
        judged = [(verdict.sentence, verdict.expected) for verdict in self.verdicts]
        return judged == [(claim.sentence, str(claim.expect)) for claim in exhibit.claims]


def collect(exhibit: Exhibit, scale: Scale, seeds: int, store: Path) -> Mapping[int, Runs]:
    """The records of an exhibit by seed and name.

    Raises:
        RecordError: if one is missing or damaged.
    """
    runs: dict[int, Runs] = {}
    for seed in range(seeds):
        records = {}
        for name, experiment in exhibit.recipe(scale, seed).items():
            folder = experiment.folder(store, seed)
            if not experiment.finished(folder):
                raise RecordError(
                    f"{exhibit.name}: the record {name!r} of seed {seed}", "it is not there, or not finished",
                    "Type edgewise reproduce, which makes what is missing",
                )  # fmt: skip
            records[name] = experiment.dataset(folder)
        runs[seed] = records
    return runs


def examine(
    key: str, exhibit: Exhibit, scale: Scale, seeds: int, store: Path, runs: Mapping[int, Runs]
) -> Finding:
    """Judge every claim of an exhibit on its records.

    Args:
        key: of the paper.
        exhibit: whose claims.
        scale: at which the records were made.
        seeds: how many were asked for.
        store: where they lie.
        runs: what `collect` returned.
    """
    folders, seconds = {}, 0.0
    for seed in runs:
        for experiment in exhibit.recipe(scale, seed).values():
            folder = experiment.folder(store, seed)
            if folder not in folders:
                folders[folder] = str(folder.relative_to(store))
                seconds += experiment.seconds(folder)
    return Finding(
        key=key,
        exhibit=exhibit.name,
        scale=scale.value,
        seeds=seeds,
        verdicts=tuple(judge(claim, runs) for claim in exhibit.claims),
        records=tuple(folders.values()),
        seconds=seconds,
    )


def place(store: Path, key: str, exhibit: str, scale: str, ending: str) -> Path:
    """The file of a finding: `.json` for its verdicts, `.png` for its figure."""
    return store / key / exhibit / f"{scale}{ending}"


def write_finding(store: Path, finding: Finding) -> Path:
    """Keep a finding in the store; the file appears whole or not at all."""
    path = place(store, finding.key, finding.exhibit, finding.scale, ".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Named by the process: two of them may judge at the same time.
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(encode(finding), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(path)
    return path


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a store holds.

    Attributes:
        found: all findings that can be read, by key, exhibit and scale.
        broken: why each of the other files cannot.
    """

    found: tuple[Finding, ...]
    broken: tuple[RecordError, ...]


def read_findings(store: Path) -> Findings:
    """All findings in a store; a damaged one does not hide the others."""
    found, broken = [], []
    for path in sorted(store.glob("*/*/*.json")):
        if path.parts[-3] == "records":
            continue
        try:
            finding = decode(json.loads(path.read_bytes()))
            if not _is_whole(finding):
                raise ValueError("it is no finding")
            found.append(finding)
        except (OSError, ValueError, EdgewiseError) as error:
            broken.append(
                RecordError(
                    f"reading {path}",
                    f"it is damaged, or of another version ({first_line(error)})",
                    "Type edgewise reproduce for it, which judges the records again",
                )
            )
    return Findings(found=tuple(found), broken=tuple(broken))


def _is_whole(finding: object) -> bool:
    return (
        isinstance(finding, Finding)
        and isinstance(finding.seconds, float | int)
        and isinstance(finding.verdicts, tuple)
        and all(isinstance(verdict, Verdict) for verdict in finding.verdicts)
    )
