"""The process that reads items for another one: jobs come in, outcomes go out, one at a time.

It is a fresh interpreter that is handed nothing but a pipe in each direction, so that no lock,
thread or open file of the caller's comes along, and the caller's own program is not run again.
It ends when the pipe does, which is also when its caller is killed.
"""

from __future__ import annotations

import os
import pickle
import struct
import threading
import time
from typing import IO, Any

ONE_THREAD = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
)  # fmt: skip
"""What keeps libraries to one thread, set before they are loaded."""
LENGTH = struct.Struct("<I")
READY = "ready"
_LOOK = 0.5
"""Seconds between two looks at whether the caller is there."""


def send(pipe: IO[bytes], value: Any) -> None:
    """Write one value."""
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    pipe.write(LENGTH.pack(len(data)) + data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read one value.

    Raises
    ------
    EOFError
        If there is none any more, or it is cut short.
    """
    head = pipe.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    (size,) = LENGTH.unpack(head)
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return pickle.loads(data)


def _watch(parent: int) -> None:
    """End with whoever started this process, in the middle of an item too."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(0)


def main(parent: int) -> None:
    """Read jobs from standard input until it ends; outcomes go to standard output.

    Parameters
    ----------
    parent : int
        The process that asks.
    """
    jobs, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # An item called /dev/stdin would read the jobs; decoders that print, print into the answers.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    import cv2

    from fpmatch.bulk.reading import read_item

    cv2.setNumThreads(1)
    try:
        send(answers, READY)
        while True:
            job = receive(jobs)
            send(answers, (job.number, read_item(job)))
    except (EOFError, BrokenPipeError):
        # Whoever asked is gone, or wants no more.
        os._exit(0)
