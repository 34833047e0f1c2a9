"""Golden numbers: what the smoke scale gave when it was last looked at, so that a change of it is seen."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from edgewise.foundation import JSON, RecordError
from edgewise.reproduction.exhibit import Exhibit
from edgewise.reproduction.finding import Finding

GOLDEN = "golden.json"


def golden_of(finding: Finding) -> Mapping[str, JSON]:
    """What is kept of a finding: effect and ruling by sentence."""
    return {
        verdict.sentence: {
            "effect": verdict.effect if math.isfinite(verdict.effect) else None,
            "ruling": str(verdict.ruling),
        }
        for verdict in finding.verdicts
    }


def write_golden(folder: Path, finding: Finding) -> None:
    """Make a finding the golden one of its exhibit, in the folder of its paper."""
    path = folder / GOLDEN
    kept = {**(_read(path) if path.exists() else {}), finding.exhibit: golden_of(finding)}
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def differences(folder: Path, exhibit: Exhibit, finding: Finding) -> tuple[str, ...]:
    """In what a finding differs from the golden one, a sentence each; none is as it should be.

    Rulings shall be equal; effects shall agree to `exhibit.golden_rtol`, or to that part of one where they are
    smaller than one.

    Raises:
        RecordError: if the golden file is not there or is damaged.
    """
    golden = _read(folder / GOLDEN).get(exhibit.name, {})
    found = golden_of(finding)
    where = f"{finding.key}/{finding.exhibit}"
    lines = [f"{where}: {sentence!r} has no golden number" for sentence in found if sentence not in golden]
    lines += [f"{where}: {sentence!r} is claimed no more" for sentence in golden if sentence not in found]
    for sentence in [sentence for sentence in found if sentence in golden]:
        was, now = golden[sentence], found[sentence]
        if was["ruling"] != now["ruling"]:
            lines.append(f"{where}: {sentence!r} was {was['ruling']} and is {now['ruling']}")
        a, b = was["effect"], now["effect"]
        if (a is None) != (b is None) or (
            a is not None and abs(a - b) > exhibit.golden_rtol * max(1.0, abs(a), abs(b))
        ):
            lines.append(f"{where}: {sentence!r} measured {a} and measures {b}")
    return tuple(lines)


def _read(path: Path) -> dict[str, JSON]:
    try:
        golden = json.loads(path.read_text(encoding="utf-8"))
        if all(kept.keys() == {"effect", "ruling"} for claims in golden.values() for kept in claims.values()):
            return dict(golden)
        reason = "an entry of it is no effect and ruling"
    except (OSError, ValueError, AttributeError) as error:
        reason = str(error)
    raise RecordError(
        f"reading {path}",
        f"it is missing or damaged ({reason})",
        "Restore it from a copy, or delete it and type edgewise reproduce --golden write",
    )
