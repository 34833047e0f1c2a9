"""A film written to a file: GIF by Pillow, MP4 by ffmpeg."""

import shutil
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.animation import FFMpegWriter, FuncAnimation, PillowWriter

from edgewise.figures.animation import Film
from edgewise.foundation import SettingError

_FPS, _DPI = 15, 100


def save_film(film: Film, path: Path | str) -> Path:
    """Write `film` as GIF or MP4, by the ending of `path`; missing folders are made.

    Args:
        film: what `film` or `walk` returned.
        path: where to; an existing file is replaced.

    Returns:
        The path.

    Raises:
        SettingError: if the ending is another one, or there is no ffmpeg for an MP4.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".gif", ".mp4"):
        raise SettingError(
            f"a film called {path.name!r}",
            "the ending says how to write it, and only .gif and .mp4 are known",
            f"Type {path.with_suffix('.gif').name}",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # Refused first: an animation that is made and not written complains.
    settings: dict[Any, Any] = {"animation.ffmpeg_path": _ffmpeg()} if kind == ".mp4" else {}
    animation = FuncAnimation(film.figure, film.draw, frames=film.pictures, blit=False)
    if kind == ".gif":
        animation.save(path, writer=PillowWriter(fps=_FPS), dpi=_DPI)
        return path
    with matplotlib.rc_context(settings):
        animation.save(
            path, writer=FFMpegWriter(fps=_FPS, codec="h264", extra_args=["-pix_fmt", "yuv420p"]), dpi=_DPI
        )
    return path


def _ffmpeg() -> str:
    """The ffmpeg of this machine, or the one that comes with the extra."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-untyped]
    except ImportError as error:
        raise SettingError(
            "a film as .mp4",
            "there is no ffmpeg on this machine",
            "Type pip install 'edgewise[film]', or write a .gif",
        ) from error
    return str(get_ffmpeg_exe())
