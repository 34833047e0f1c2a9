"""The results page: every verdict is on it, in Markdown and in HTML."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from edgewise.claims import Verdict
from edgewise.report import Entry, results_page, write_page
from edgewise.reproduction import Finding

README = """# nobody2000paper: on nothing

## Differs from the paper

Ten samples | not a thousand.

## Cost

Nothing.

## What does not reproduce

All of it.
"""


def verdict(ruling: str, effect: float = 1.25) -> Verdict:
    return Verdict(
        sentence=f"it {ruling}",
        source="nobody2000paper, Figure 1",
        ruling=ruling,  # type: ignore[arg-type]
        effect=effect,
        low=effect,
        high=effect,
        expected="1 … 2",
        seeds=1,
        why="" if ruling == "holds" else "because | of that",
    )


def entry(key: str, *verdicts: Verdict, figure: str | None = None, seconds: float = 90.0) -> Entry:
    finding = Finding(
        key=key, exhibit="fig1", scale="smoke", seeds=1, verdicts=verdicts, records=(), seconds=seconds
    )
    return Entry(finding=finding, paper="Nobody: *On Nothing*.", title="nothing", readme=README, figure=figure)


PAGE = results_page(
    [
        entry("zeta2001last", verdict("holds"), seconds=300.0),
        entry("nobody2000paper", verdict("fails"), verdict("undecided", float("nan")), figure="figures/a.png"),
    ]
)


def test_the_summary_counts_every_ruling_and_the_cost() -> None:
    assert "3 claims: 1 holds, 1 fails, 1 undecided; 6.5 min of computing." in PAGE
    assert "| [nobody2000paper](#nobody2000paper) | fig1 | smoke | 1 | 0 | 1 | 1 | 90 s |" in PAGE
    assert PAGE.index("## nobody2000paper") < PAGE.index("## zeta2001last")


def test_a_failure_is_shown_with_its_number_and_its_reason() -> None:
    assert "| it fails (nobody2000paper, Figure 1) | 1.25 | 1 … 2 | **fails**: because \\| of that |" in PAGE
    assert "| it undecided (nobody2000paper, Figure 1) | — | 1 … 2 | **undecided**: because" in PAGE


def test_words_mean_themselves_in_a_cell_and_stay_in_it() -> None:
    """A star would begin emphasis, a bar the next cell, a line break the next row, and < a tag."""
    odd = replace(verdict("fails"), sentence="|a*b*c| < x_1_ [η]\nand `more`", why="a\nb")
    page = results_page([entry("nobody2000paper", odd)])
    (row,) = [line for line in page.splitlines() if "nobody2000paper, Figure 1" in line]
    assert row.endswith("| **fails**: a b |")
    inside = MarkdownIt("commonmark", {"html": False}).enable("table").render(page)
    assert "|a*b*c| &lt; x_1_ [η] and `more` (nobody2000paper, Figure 1)" in inside


def test_a_list_in_the_readme_stays_a_list_and_a_part_of_a_section_is_not_lost(tmp_path: Path) -> None:
    readme = "# T\n\n## Differs from the paper\n\n- one\n- two\n\n### More\n\nthree\n\n## Cost\n\nfour\n"
    page = results_page([replace(entry("nobody2000paper", verdict("holds")), readme=readme)])
    _, html = write_page(page, tmp_path, "results")
    assert "<li>two</li>" in html.read_text()
    assert "three" in page
    assert "four" not in page


def test_the_title_of_the_page_is_words(tmp_path: Path) -> None:
    _, html = write_page("# a < b & c\n", tmp_path, "results")
    assert "<title>a &lt; b &amp; c</title>" in html.read_text()


def test_long_costs_are_in_hours() -> None:
    assert "2.5 h of computing" in results_page([entry("a2000b", verdict("holds"), seconds=9000.0)])


def test_differences_and_failures_come_from_the_readme() -> None:
    assert "**Differs from the paper.** Ten samples | not a thousand." in PAGE
    assert "**What does not reproduce.** All of it." in PAGE
    assert "**Cost" not in PAGE


def test_the_html_holds_the_same_and_its_links_lead_somewhere(tmp_path: Path) -> None:
    source, page = write_page(PAGE, tmp_path / "results", "results")
    assert source.read_text() == PAGE
    seen = _Page()
    seen.feed(page.read_text())
    assert {"#nobody2000paper", "#zeta2001last"} == set(seen.links)
    assert {link.lstrip("#") for link in seen.links} <= set(seen.ids)
    assert seen.images == ["figures/a.png"]
    assert seen.cells.count("1.25") == 2


@pytest.mark.parametrize("readme", ["", "# key: words\n\nDiffers from the paper: in nothing.\n\nCost: none."])
def test_a_short_readme_will_do(readme: str) -> None:
    from dataclasses import replace

    page = results_page([replace(entry("nobody2000paper", verdict("holds")), readme=readme)])
    assert ("**Differs from the paper.** in nothing." in page) == bool(readme)


class _Page(HTMLParser):
    """What a page links to, shows, and says in its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.images: list[str] = []
        self.cells: list[str] = []
        self._cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self._cell = tag == "td"
        if tag == "a":
            self.links.append(known["href"] or "")
        if tag == "img":
            self.images.append(known["src"] or "")
        if known.get("id"):
            self.ids.append(known["id"] or "")

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.cells.append(data)
            self._cell = False
