"""A figure written to a file, the same bytes for the same figure."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from edgewise.foundation import SettingError

# What a file would otherwise carry of the moment and the installation that wrote it.
_METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_DPI = 160


def save(figure: Figure, path: Path | str) -> Path:
    """Write `figure` as PNG, SVG or PDF, by the ending of `path`; missing folders are made.

    Args:
        figure: what `overview` or `spectrum` returned.
        path: where to; an existing file is replaced.

    Returns:
        The path.

    Raises:
        SettingError: if the ending is another one.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in _METADATA:
        raise SettingError(
            f"a figure called {path.name!r}",
            "the ending says how to draw it, and only .png, .svg and .pdf are known",
            f"Type {path.with_suffix('.png').name}",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # SVG names its parts at random unless a salt is given.
    with matplotlib.rc_context({"svg.hashsalt": "edgewise"}):
        figure.savefig(path, format=kind[1:], dpi=_DPI, metadata=_METADATA[kind])
    return path
