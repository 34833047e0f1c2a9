"""Scripts of users: run as they are, with an ear on every watch that they make; or asked for a function."""

import runpy
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from edgewise.foundation import EdgewiseError, SettingError, first_line
from edgewise.watch import Watch


class Enough(BaseException):
    """So many steps have been watched. No `Exception`, so that a script does not take it for one of its own."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a script ended.

    Attributes:
        kind: by itself, at the steps that were asked for, by Ctrl-C, or by an error of its own.
        code: what it gave to sys.exit; 0 where it did not.
        trouble: its traceback, if it failed.
    """

    kind: str
    code: int = 0
    trouble: str | None = None


def run_script(
    path: Path, arguments: Sequence[str], watches: list[Watch], steps: int | None, told: Callable[[Watch], None]
) -> Ending:
    """Run a script as `python script.py` would.

    Args:
        path: of the script.
        arguments: its own.
        watches: to which every watch is added that it makes.
        steps: after how many steps of a watch it is stopped; None lets it end.
        told: hears about every step of a watch.

    Raises:
        SettingError: if there is no such file.
    """
    _require(path)
    with _as_script(path, arguments), _overheard(watches, steps, told):
        try:
            runpy.run_path(str(path), run_name="__main__")
        except Enough:
            return Ending(kind="stopped")
        except KeyboardInterrupt:
            return Ending(kind="interrupted")
        except SystemExit as ended:
            if ended.code is None or isinstance(ended.code, int):
                return Ending(kind="ended", code=ended.code or 0)
            return Ending(kind="failed", code=1, trouble=f"{ended.code}\n")
        except Exception as error:
            return Ending(kind="failed", code=1, trouble=_traceback(error, path))
    return Ending(kind="ended")


def made_by(text: str) -> tuple[Any, Any, Any, Any]:
    """What a function of a script makes: model, optimiser, criterion, probe batch.

    Args:
        text: `train.py:make`. What the script does under `if __name__ == "__main__"` is not done.

    Raises:
        SettingError: if there is no such script or function, or it makes something else.
    """
    file, _, name = text.rpartition(":")
    if not file or not name.isidentifier():
        raise SettingError(f"--script {text}", "it names a function of a script", "Type --script train.py:make")
    path = Path(file)
    _require(path)
    with _as_script(path, ()):
        try:
            function = runpy.run_path(str(path), run_name=path.stem).get(name)
            if not callable(function):
                raise SettingError(
                    f"--script {text}",
                    f"{path.name} has no function {name}",
                    f"Define {name}(), which returns model, optimizer, criterion, probe_batch",
                )
            made = function()
        except EdgewiseError:
            raise
        except Exception as error:
            raise SettingError(
                f"--script {text}",
                f"it fails with {type(error).__name__}: {first_line(error)}",
                f"Call {name}() in Python for the traceback",
            ) from error
    if not isinstance(made, tuple) or len(made) != 4:
        kind = f"{len(made)} things" if isinstance(made, tuple) else type(made).__name__
        raise SettingError(
            f"--script {text}", f"{name}() returns {kind}", "Return model, optimizer, criterion, probe_batch"
        )
    return made


def _require(path: Path) -> None:
    if not path.is_file():
        raise SettingError(f"the script {path}", "there is no such file", "Give the path of a Python script")


@contextmanager
def _as_script(path: Path, arguments: Sequence[str]) -> Iterator[None]:
    """Words and search path as the script would find them."""
    words, places = sys.argv, list(sys.path)
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.resolve().parent))
    try:
        yield
    finally:
        sys.argv, sys.path[:] = words, places


@contextmanager
def _overheard(watches: list[Watch], steps: int | None, told: Callable[[Watch], None]) -> Iterator[None]:
    """Inside, every watch that is made is known, and every step of one is heard.

    The class is changed and put back, so that neither the script nor the watch has to know of it.
    """
    make, step = Watch.__init__, Watch.step

    def made(self: Watch, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        watches.append(self)

    def stepped(self: Watch, *args: Any, **kwargs: Any) -> None:
        step(self, *args, **kwargs)
        told(self)
        if steps is not None and self.steps >= steps:
            raise Enough

    Watch.__init__, Watch.step = made, stepped  # type: ignore[method-assign]
    try:
        yield
    finally:
        Watch.__init__, Watch.step = make, step  # type: ignore[method-assign]


def _traceback(error: Exception, path: Path) -> str:
    """From the script's own lines on."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename != str(path):
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame or error.__traceback__))
