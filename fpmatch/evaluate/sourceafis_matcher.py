"""SourceAFIS for Java, the peer: in a Java process of its own, from jars that the user has."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import ExtractionError, InputError, MissingExtra, WorkerError

FOLDER = "FPMATCH_SOURCEAFIS"
"""Names the folder of the jars: SourceAFIS and what it needs."""
BRIDGE = Path(__file__).with_name("SourceAfisBridge.java")
_SCHEDULED = 2
"""Of a process's clock: what the scheduler counted, in nanoseconds (`clock_getcpuclockid`)."""
_HOW = "docs/evaluation.md says how to get them"


class SourceAfis:
    """Templates and scores of SourceAFIS; a `Matcher`.

    It is handed images at the resolution of their files.

    Parameters
    ----------
    folder : path, optional
        Of the jars; the variable ``FPMATCH_SOURCEAFIS`` of the environment by default.

    Raises
    ------
    MissingExtra
        Without the jars, or a Java of version 11 or later that can compile.
    WorkerError
        If that Java does not start, or ends.

    Notes
    -----
    What is prepared are the bytes of SourceAFIS's own template. One Java process works for each
    process of the evaluation; its processor time counts (`cpu_seconds`). A comparison's time has
    the pipe between the two in it: some ten microseconds.
    """

    takes = "native"

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        place = Path(os.environ.get(FOLDER, "") if folder is None else folder)
        java = shutil.which("java")
        if not str(place) or place == Path() or not any(place.glob("*sourceafis*.jar")):
            raise MissingExtra(f"SourceAFIS needs its jars: name their folder in {FOLDER}; {_HOW}")
        if java is None:
            raise MissingExtra("SourceAFIS needs Java 11 or later (a JDK) on the PATH")
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  as long as the process
        self._java = subprocess.Popen(
            # One thread compiles and one cleans: its time is compared with that of one thread.
            [java, "-XX:+UseSerialGC", "-cp", str(place / "*"), str(BRIDGE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )
        self._end = weakref.finalize(self, _ended, self._java)
        self._numbers: dict[bytes, int] = {}
        self.name = f"SourceAFIS Java {self._text(b'V')}"

    def prepare(self, image: NDArray[np.uint8], ppi: float) -> bytes:
        """A template of SourceAFIS.

        Parameters
        ----------
        image : (H, W) uint8
            Gray levels.
        ppi : float
            Pixels per inch.

        Raises
        ------
        ExtractionError
            If SourceAFIS makes none of it.
        """
        height, width = image.shape
        pixels = np.ascontiguousarray(image, np.uint8).tobytes()
        try:
            return self._bytes(b"P" + struct.pack(">iid", width, height, ppi) + pixels)
        except InputError as error:
            raise ExtractionError(str(error)) from error

    def compare(self, a: bytes, b: bytes) -> float:
        """The score of SourceAFIS: from 0, 40 being an FMR of 0.01 % by its own account.

        Parameters
        ----------
        a, b : bytes
            Of `prepare`.
        """
        self._asked(b"C" + struct.pack(">ii", self._number(a), self._number(b)))
        return float(self._unpacked(">d"))

    def cpu_seconds(self) -> float:
        """Processor time of the Java process so far, all of its threads together.

        Linux's own clock of that process: Java counts in hundredths of a second, in which most
        comparisons take nothing.
        """
        if sys.platform == "linux":
            return time.clock_gettime(~self._java.pid << 3 | _SCHEDULED)
        self._asked(b"T")
        return self._unpacked(">q") / 1e9

    def _number(self, template: bytes) -> int:
        number = self._numbers.get(template)
        if number is None:
            self._asked(b"L" + struct.pack(">i", len(template)) + template)
            number = self._numbers[template] = int(self._unpacked(">i"))
        return number

    def _asked(self, request: bytes) -> None:
        """Send a request, and read whether it failed."""
        assert self._java.stdin is not None
        try:
            self._java.stdin.write(request)
            self._java.stdin.flush()
        except OSError as error:
            raise self._gone() from error
        if self._read(1) != b"\0":
            text = self._read(int(self._unpacked(">i"))).decode("utf-8", "replace")
            raise InputError(f"SourceAFIS: {shown(text)}")

    def _bytes(self, request: bytes) -> bytes:
        self._asked(request)
        return self._read(int(self._unpacked(">i")))

    def _text(self, request: bytes) -> str:
        return self._bytes(request).decode("utf-8", "replace")

    def _unpacked(self, form: str) -> float:
        return struct.unpack(form, self._read(struct.calcsize(form)))[0]

    def _read(self, count: int) -> bytes:
        assert self._java.stdout is not None
        found = self._java.stdout.read(count)
        if len(found) < count:
            raise self._gone()
        return found

    def _gone(self) -> WorkerError:
        self._java.wait()
        self._said.seek(0)
        last = self._said.read()[-500:].decode("utf-8", "replace").strip()
        return WorkerError(f"Java ended with status {self._java.returncode}: {shown(last)}")


def shown(text: str) -> str:
    """What Java said, in one line without control characters."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))[:300]


def _ended(java: subprocess.Popen[bytes]) -> None:
    """Close the pipe, at which Java ends by itself."""
    for end in (java.stdin, java.stdout):
        if end is not None:
            end.close()
    try:
        java.wait(5)
    except subprocess.TimeoutExpired:
        java.kill()
        java.wait()
