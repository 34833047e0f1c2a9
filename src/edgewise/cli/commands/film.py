"""`edgewise film`: a run as a film."""

from pathlib import Path

_STORE = Path("runs")


def film(run: str = "latest", /, *, store: Path = _STORE, output: Path | None = None) -> int:
    """Show a run moving: its loss, its sharpness, and the iterate swinging along the top eigenvector.

      edgewise run digits_mlp --critical 14 --probe sharpness --probe oscillation
      edgewise film latest
      edgewise film latest --output edge.mp4

    Args:
        run: its folder, a part of its name that no other run has, or latest.
        store: the folder in which the runs' folders are.
        output: the file, whose ending (.gif, .mp4) says how; film.gif in the folder of the run if not given.
    """
    from edgewise.cli.report import facts, shown
    from edgewise.cli.report import output as console
    from edgewise.dynamics import Run
    from edgewise.figures import film as filmed
    from edgewise.figures import save_film
    from edgewise.records import find_record

    opened = Run(find_record(run, store))
    moving = filmed(opened.dataset, title=str(opened.path.name))
    facts(console(), ("film", shown(save_film(moving, output or opened.path / "film.gif"))))
    return 0
