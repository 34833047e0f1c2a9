"""What a module may look like: short, without vague names, and silent."""

import ast
import re
from pathlib import Path

import pytest

import edgewise

SOURCE = Path(edgewise.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
LONGEST = 400
VAGUE = {"utils", "util", "helpers", "helper", "misc", "common", "manager", "handler", "engine", "my", "new", "v2"}
SPEAKS = ("cli/", "dynamics/progress.py", "__main__.py")
# Two context managers that put back what they find, and the process that is edgewise's own.
SWITCH = ("foundation/precision.py", "models/model.py", "watch/randomness.py", "cli/")


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def words(identifier: str) -> set[str]:
    """`SeriesManager` and `series_manager` are both the words series and manager."""
    return {word.lower() for part in identifier.split("_") for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", part)}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
class TestModule:
    def test_is_short_enough_to_be_read(self, path: Path) -> None:
        assert len(path.read_text().splitlines()) <= LONGEST

    def test_opens_with_a_sentence(self, path: Path) -> None:
        text = path.read_text()
        if text:
            assert ast.get_docstring(ast.parse(text)), "a module says what idea it holds"

    def test_names_say_what_they_mean(self, path: Path) -> None:
        defined = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, _DEFINITIONS)]
        vague = {name for name in (path.stem, *defined) if words(name) & VAGUE}
        assert not vague

    def test_does_not_print(self, path: Path) -> None:
        if name_of(path).startswith(SPEAKS):
            return
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]

    def test_leaves_global_switches_alone(self, path: Path) -> None:
        if name_of(path).startswith(SWITCH):
            return
        called = set(re.findall(r"\b(?:torch|np|numpy|random)(?:\.\w+)*\.(\w+)\(", path.read_text()))
        assert not called & {
            "manual_seed_all",
            "set_default_dtype",
            "set_num_threads",
            "use_deterministic_algorithms",
        }
        assert not re.search(r"\b(?:torch|np\.random|random)\.(?:manual_seed|seed)\(", path.read_text())


_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
