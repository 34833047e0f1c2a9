"""The command line: what a user types, and what they get to see. Heavy rooms are imported by the commands."""

from edgewise.cli.app import app, main

__all__ = [
    "app",
    "main",
]
