"""`edgewise results`: the verdicts in the store as a page."""

import shutil
from pathlib import Path

from edgewise.cli.commands.gallery import STORE, ScaleName

_OUTPUT = Path("results")


def results(*addresses: str, scale: ScaleName | None = None, store: Path = STORE, output: Path = _OUTPUT) -> int:
    """Write a page with every verdict, figure and cost in the store, as Markdown and as HTML.

      edgewise results
      edgewise results cohen2021gradient --scale laptop --output docs

    Args:
        addresses: papers, or exhibits of papers; all if not given.
        scale: only those of this scale.
        store: the folder in which edgewise reproduce keeps them.
        output: the folder of the page; the figures are copied into it.
    """
    from edgewise.cli.commands.gallery import findings
    from edgewise.cli.report import facts, shown
    from edgewise.cli.report import output as console
    from edgewise.foundation import SettingError
    from edgewise.gallery import folder_of, reproduction
    from edgewise.report import Entry, results_page, write_page
    from edgewise.reproduction import place

    found = findings(addresses, scale, store)
    if not found:
        raise SettingError(f"the store {store}", "it holds no such verdicts", "Type edgewise reproduce --all")
    entries = []
    for finding in found:
        drawn = place(store, finding.key, finding.exhibit, finding.scale, ".png")
        figure = Path("figures") / f"{finding.key}-{finding.exhibit}-{finding.scale}.png"
        if drawn.exists():
            (output / figure).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(drawn, output / figure)
        paper = reproduction(finding.key)
        readme = folder_of(finding.key) / "README.md"
        entries.append(
            Entry(
                finding=finding,
                paper=f"{paper.authors}: *{paper.title}*.",
                title=paper.exhibit(finding.exhibit).title,
                readme=readme.read_text(encoding="utf-8") if readme.exists() else "",
                figure=figure.as_posix() if drawn.exists() else None,
            )
        )
    source, page = write_page(results_page(entries), output, "results")
    facts(console(), ("page", shown(page)), ("markdown", shown(source)))
    return 0
