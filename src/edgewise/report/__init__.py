"""Verdicts, figures and costs as a page to be read: Markdown, and HTML made from it."""

from edgewise.report.page import Entry, results_page
from edgewise.report.write import write_page

__all__ = [
    "Entry",
    "results_page",
    "write_page",
]
