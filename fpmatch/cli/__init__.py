"""The command line: each command opens a library object, calls one method and prints."""

from __future__ import annotations

import sys

import fpmatch

__all__ = ["main"]


def main() -> None:
    """Entry point of ``fpmatch``."""
    if sys.argv[1:] == ["--version"]:
        print(f"fpmatch {fpmatch.__version__}")  # no command is loaded for it
        return
    from fpmatch.cli.app import run

    run()
