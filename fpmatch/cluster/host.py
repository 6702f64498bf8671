"""What stands at the other end of a transport: one host, and the rows that it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Answering(Protocol):
    """Whatever answers calls; `Host` does."""

    def answer(self, call: bytes) -> bytes:
        """Answer one call; from any number of threads.

        Parameters
        ----------
        call : bytes
            Of foreign origin.

        Returns
        -------
        bytes
            What was asked for, or why not: refusals and errors are answers too.
        """
        ...

    def close(self) -> None:
        """Let go of files; what is not on disk yet is brought again by the coordinator."""
        ...


Make = type["Answering"]
"""Called with `name` and `folder` (a `Path`) and `key` (bytes): a host over what the folder holds.

A transport that starts hosts itself calls it where the host shall run; after a restart with the
same three, the host goes on from what its folder holds."""

__all__ = ["Answering", "Make", "Path"]
