"""The command line: each command opens a library object, calls one method and prints."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Entry point of ``fpmatch``."""
    from fpmatch.cli.app import run

    run()
