"""A manifest in words.

It is read as it was stored, without the nouns that it names, so that a run of other versions can be shown too.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from edgewise.foundation import JSON


def facts_of(manifest: Mapping[str, JSON]) -> Iterator[tuple[str, str]]:
    """What was run, on what, with what: names and values."""
    yield "created", str(manifest["created"])
    if manifest.get("watched"):
        yield "watched", "a training that edgewise did not run: there are readings of it and no recipe"
    else:
        yield from _recipe(manifest)
    environment = manifest.get("environment") or {}
    versions = environment.get("versions") or {}
    yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    yield "commit", _commit(environment.get("source") or {})
    yield "hardware", _hardware(environment.get("hardware") or {})


def _recipe(manifest: Mapping[str, JSON]) -> Iterator[tuple[str, str]]:
    """What was asked for."""
    recipe = manifest.get("recipe") or {}
    problem = recipe.get("problem")
    if problem:
        yield "problem", f"{problem.get('name')}: {noun(problem.get('model'))}, {noun(problem.get('criterion'))}"
        yield "precision", f"{noun(problem.get('dtype'))} on {problem.get('device')}, seed {problem.get('seed')}"
    else:
        yield "problem", "an objective made by hand"
    for process, method in (recipe.get("processes") or {}).items():
        formula = (manifest.get("critical_formulas") or {}).get(process)
        yield "method", f"{process}: {noun(method)}" + (f", unstable above {formula}" if formula else "")
    yield "steps", f"{recipe.get('steps')}, until {_list(recipe.get('until'))}"
    yield "probes", _list(recipe.get("probes"))
    data = manifest.get("data")
    if data:
        yield "data", f"{data.get('samples')} samples from {data.get('source')}"
        yield "checksum", str(data.get("checksum"))


def noun(tree: JSON) -> str:
    """A stored value as it would be typed: `MLP(widths=(64, 64), activation='tanh')`."""
    match tree:
        case {"noun": str(tag)}:
            fields = ", ".join(f"{key}={noun(value)}" for key, value in tree.items() if key != "noun")
            return f"{tag.partition(':')[2]}({fields})"
        case {"tuple": list(items)}:
            return "(" + ", ".join(map(noun, items)) + ("," if len(items) == 1 else "") + ")"
        case {"dtype": str(name)} | {"float": str(name)}:
            return name
        case float():
            return f"{tree:.6g}"
    return repr(tree)


def _list(tree: JSON) -> str:
    items: list[Any] = (tree.get("tuple") if isinstance(tree, dict) else tree) or []
    return ", ".join(map(noun, items)) or "nothing"


def _commit(source: Mapping[str, JSON]) -> str:
    commits = {
        place.replace("_", " "): f"{found['commit'][:12]}{' with changes' if found.get('dirty') else ''}"
        for place, found in source.items()
        if found
    }
    return ", ".join(f"{commit} ({place})" for place, commit in commits.items()) or "unknown"


def _hardware(hardware: Mapping[str, JSON]) -> str:
    words = [str(hardware.get("cpu")), f"{hardware.get('usable_cores')} cores", *(hardware.get("gpus") or ())]
    if hardware.get("memory"):
        words.append(f"{hardware['memory'] / 2**30:.0f} GiB")
    return ", ".join(words)
