"""A page on the disk: Markdown beside HTML, which is one file with its figures beside it."""

from html import escape
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

_HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1a1a1a; --page: #ffffff; --line: #d8d8d8; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e8e8e8; --page: #16181c; --line: #3a3d44; }}
}}
body {{ font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 60rem;
       margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; font-size: 0.9rem; }}
th, td {{ border-bottom: 1px solid var(--line); padding: 0.3rem 0.5rem; text-align: left; vertical-align: top; }}
img {{ max-width: 100%; background: white; border-radius: 4px; }}
h2 {{ margin-top: 3rem; border-top: 2px solid var(--line); padding-top: 1rem; }}
a {{ color: inherit; }}
</style>
</head>
<body>
{body}</body>
</html>
"""


def write_page(markdown: str, folder: Path, name: str) -> tuple[Path, Path]:
    """Write `<name>.md` and `<name>.html` into `folder`.

    Args:
        markdown: the page.
        folder: made if it is missing; its figures are expected in it.
        name: of both files, without ending.

    Returns:
        The paths of both.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source, page = folder / f"{name}.md", folder / f"{name}.html"
    source.write_text(markdown, encoding="utf-8")
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    for heading, words in pairwise(tokens):
        if heading.type == "heading_open" and heading.tag == "h2":
            heading.attrSet("id", words.content)  # what the summary's links lead to
    title = markdown.splitlines()[0].lstrip("# ")
    body = parser.renderer.render(tokens, parser.options, {})
    page.write_text(_HTML.format(title=escape(title), body=body), encoding="utf-8")
    return source, page
