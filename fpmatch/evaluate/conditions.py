"""What a figure was measured on: the machine, the versions, the parameters."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fpmatch.evaluate.extraction import Sample

_PACKAGES = ("numpy", "numba", "opencv-python-headless")


def default_processes() -> int:
    """The number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, Any]:
    """Processor, cores that may be used, memory, system and Python; no names of hosts or users."""
    return {
        "processor": _processor(),
        "cores": default_processes(),
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Version of fpmatch and of the packages that decide speed or results."""
    import fpmatch

    out = {"fpmatch": fpmatch.__version__}
    for name in _PACKAGES:
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            out[name] = "absent"
    return out


def parameter_hash() -> str:
    """One hash over every section of `fpmatch.parameters`, in order of their names."""
    from fpmatch import parameters

    sections = [
        value
        for name, value in sorted(vars(parameters).items())
        if name.isupper() and dataclasses.is_dataclass(value)
    ]
    return parameters.digest(*sections)


def now() -> str:
    """The date and the time, UTC, to the second: ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def data_hash(samples: Sequence[Sample]) -> str:
    """SHA-256 of what an evaluation was made of, wherever it lies; empty if that is no files.

    Folder by folder in their order: of every impression its name, resolution, identity and bytes.

    Parameters
    ----------
    samples : sequence of Sample
        All impressions.
    """
    whole = hashlib.sha256()
    for s in samples:
        try:
            with open(s.path, "rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""
        line = (s.database, s.path.name, s.ppi, s.identity, content)
        whole.update(json.dumps(line).encode())
    return whole.hexdigest() if samples else ""


def one_line() -> str:
    """The machine in a line, to print beside figures."""
    m = machine()
    memory = f", {m['memory_gib']:g} GiB" if m["memory_gib"] else ""
    return f"{m['processor']}, {m['cores']} cores{memory}, Python {m['python']}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.split(":", 1)[1].split())
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    return round(size / 2**30, 1)
