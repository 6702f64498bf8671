"""Decoding in a process of its own, which a damaged or hostile picture can kill and nothing else.

One small process is started when it is first asked for and used again for every further picture;
where it dies the next picture gets another. It is started anew, not forked: it has no lock, no
memory and no open file of this process but the two pipes, and ends when they do.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import numpy as np

from fpmatch.checks import quoted
from fpmatch.errors import ImageError, InputError
from fpmatch.image.decode import FORMATS
from fpmatch.image.worker import READY, REPLY, REQUEST, Decoded
from fpmatch.parameters import IMAGE, ISOLATION, IsolationParameters

_MODULE = "fpmatch.image.worker"
_LONGEST_MESSAGE = 1000
_MOST_HEAD = 1 << 16
"""Bytes of a reply's head: names, figures and a message."""
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "LANG")
"""Variables that the process needs to start; secrets often stand in others."""
_CHUNK = _PIPE = 1 << 20


class _Lost(Exception):
    """The process ended, or has been too long about it."""


class IsolatedDecoder:
    """A process that decodes, and is replaced when it dies.

    Parameters
    ----------
    limits : IsolationParameters
        Memory and time of one picture.
    command : sequence of str, optional
        What to run instead of fpmatch's own decoder: the tests' way to have one that misbehaves.

    Notes
    -----
    Safe to call from several threads, which take turns: there is one process. In a forked child
    the first call starts another; the parent's is left alone.
    """

    def __init__(
        self, limits: IsolationParameters = ISOLATION, command: Sequence[str] | None = None
    ) -> None:
        self._limits = limits
        self._command = command
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._leaving = False

    @property
    def pid(self) -> int | None:
        """Of the process; None where none runs."""
        return None if self._process is None else self._process.pid

    def decode(self, data: bytes, most: int = IMAGE.max_pixels) -> Decoded:
        """As `fpmatch.image.decode.decode`, in the process.

        Parameters
        ----------
        data : bytes
            Of the file.
        most : int
            Pixels.

        Raises
        ------
        ImageError
            Also if the decoder crashes, hangs, or needs more memory or time than it may have.
        """
        with self._turn:
            try:
                head, pixels = self._ask(data, most)
            except _Lost as lost:
                self._stay()
                raise ImageError(self._verdict(str(lost))) from None
            except BaseException:
                self._stay()
                self._end()  # an answer that no one waited for would be taken for the next one's
                raise
            try:
                return _understood(head, pixels)
            except ImageError:
                raise
            except (ValueError, KeyError, TypeError, RecursionError):
                self._end()
                raise ImageError("the image's decoder gave an answer that is none") from None

    def close(self) -> None:
        """End the process; the next picture starts another."""
        mine = self._turn.acquire(timeout=self._limits.end_seconds)
        self._end(patience=self._limits.end_seconds if mine else 0.0)
        if mine:
            self._turn.release()

    def leave(self) -> None:
        """End the process with the program."""
        self._leaving = True
        self.close()

    def _stay(self) -> None:
        """Go no further where the program is ending.

        Only threads that it does not wait for get here, and end with it: what became of their
        picture is nobody's concern, and no error of theirs belongs on the screen.
        """
        if self._leaving:
            threading.Event().wait()

    def forget(self) -> None:
        """Leave the process to the one that this process was forked from."""
        self._turn = threading.Lock()
        process, self._process = self._process, None
        if process is not None:
            _close(process)
            process.returncode = 0  # no child of this process: nothing to wait for

    def _ask(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        process = self._running()
        limits = self._limits
        memory = limits.memory_floor + 2 * len(data) + limits.memory_per_pixel * most
        request = REQUEST.pack(len(data), most, memory, limits.cpu_seconds)
        channel = _Channel(process, limits.wall_seconds)
        channel.send(request)
        channel.send(data)
        size, pixels = REPLY.unpack(channel.receive(REPLY.size))
        if size > _MOST_HEAD or pixels > most:
            raise _Lost("gave an answer that is none")
        return bytes(channel.receive(size)), bytes(channel.receive(pixels))

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        command = [sys.executable, "-P", "-m", _MODULE] if self._command is None else self._command
        if sys.platform == "win32":
            raise InputError("pictures are decoded in a process of its own on POSIX systems only")
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, map(str, sys.path)))}
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        try:
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # the terminal's Ctrl-C is not meant for it
            )
        except (OSError, ValueError, TypeError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ImageError(f"no process can be started to decode images: {reason}") from error
        _widen(self._process)
        try:
            channel = _Channel(self._process, self._limits.start_seconds)
            if channel.receive(len(READY)) != READY:
                raise _Lost("gave an answer that is none")
        except _Lost:
            self._end()
            raise ImageError(
                "the process that decodes images does not start: python -m " + _MODULE
            ) from None
        return self._process

    def _verdict(self, said: str) -> str:
        """Why the process is gone; it is, afterwards."""
        process = self._process
        if process is not None and not said:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self._limits.end_seconds)
        code = None if process is None else process.returncode
        self._end()
        if said:
            return f"the image's decoder {said}: the file is damaged, or made to harm"
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            if name == "SIGXCPU":
                return f"the image's decoder took over {self._limits.cpu_seconds} s of CPU time"
            return f"the image's decoder crashed ({name}): the file is damaged, or made to harm"
        return f"the image's decoder ended with status {code}"

    def _end(self, patience: float = 0.0) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if not patience:
            process.kill()
        _close(process)
        try:
            process.wait(patience or None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _widen(process: subprocess.Popen[bytes]) -> None:
    """Larger pipes, where the system has them: fewer turns between the two processes."""
    if sys.platform == "linux":
        import fcntl

        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)  # type: ignore[arg-type]


class _Channel:
    """Bytes to and from a process, until a time after which it counts as hanging."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._out, self._in = process.stdin.fileno(), process.stdout.fileno()
        self._seconds, self._end = seconds, time.monotonic() + seconds
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)

    def send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._wait(self._out, selectors.EVENT_WRITE)
            try:
                rest = rest[os.write(self._out, rest[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise _Lost from None

    def receive(self, size: int) -> bytearray:
        out = bytearray()
        while len(out) < size:
            self._wait(self._in, selectors.EVENT_READ)
            try:
                part = os.read(self._in, min(size - len(out), _CHUNK))
            except BlockingIOError:
                continue
            except OSError:
                raise _Lost from None
            if not part:
                raise _Lost
            out += part
        return out

    def _wait(self, file: int, event: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(file, event)
            if not selector.select(max(self._end - time.monotonic(), 0)):
                raise _Lost(f"gave no answer for {self._seconds:g} s")


def _understood(head: bytes, pixels: bytes) -> Decoded:
    """What the process says, believed no further than it is checked."""
    told = json.loads(head)
    if "error" in told:
        raise ImageError(str(told["error"])[:_LONGEST_MESSAGE])
    height, width = told["shape"]
    if type(height) is not int or type(width) is not int or min(height, width) < 1:
        raise ValueError(quoted(told["shape"]))
    array = np.frombuffer(bytearray(pixels), np.uint8).reshape(height, width)
    recorded = told["recorded"]
    if recorded is not None:
        x, y = recorded
        recorded = (float(x), float(y))
    if told["name"] not in FORMATS:
        raise ValueError(quoted(told["name"]))
    return array, recorded, told["name"]


SHARED = IsolatedDecoder()
"""The one that `read_image` uses."""
atexit.register(SHARED.leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SHARED.forget)
