"""Processes of their own for tests: forked from one that has imported once what all of them need.

That one has no threads, files or galleries open: a child is as fresh as one that is started anew,
a second earlier.
"""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing import context, forkserver
from pathlib import Path
from typing import Any
from unittest import mock

HERE = Path(__file__).resolve().parent


class Forked(context.ForkServerContext):
    """Its processes come from a server that has imported `processes_loaded`."""

    def Process(self, *given: Any, **named: Any) -> Any:
        """A process, and before the first of them the server."""
        path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
        with mock.patch.dict(os.environ, {"PYTHONPATH": path}):
            forkserver.set_forkserver_preload(["processes_loaded"])
            forkserver.ensure_running()
        return super().Process(*given, **named)


def processes() -> context.BaseContext:
    """What makes processes: where no server can fork them, each is started anew."""
    if "forkserver" in multiprocessing.get_all_start_methods():
        return Forked()
    return multiprocessing.get_context("spawn")


def killed_in(target: Any, *given: Any) -> int:
    """Run a function in a process, wait for its end, and give its exit code."""
    child = processes().Process(target=target, args=given)
    child.start()
    child.join(120)
    assert child.exitcode is not None, "it has not ended"
    return child.exitcode
