"""Compiled kernels on disk: no folder and a damaged file cost time, never an error."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fpmatch import kernel_cache
from fpmatch.jit import jit_enabled, kernel

pytestmark = pytest.mark.skipif(not jit_enabled(), reason="kernels run as plain Python")


def double(values):
    """Doubled."""
    out = np.empty_like(values)
    for i in range(len(values)):
        out[i] = 2 * values[i]
    return out


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    return tmp_path


def run() -> tuple[int, int]:
    """Doubles on a fresh dispatcher: how often the cache was hit and missed."""
    made = kernel(double)
    assert made(np.arange(3)).tolist() == [0, 2, 4]
    return sum(made.stats.cache_hits.values()), sum(made.stats.cache_misses.values())


def files(folder: Path, ending: str) -> list[Path]:
    return sorted(folder.rglob(f"*.{ending}"))


def test_kernels_are_found_again(folder):
    assert run() == (0, 1)
    assert run() == (1, 0)


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("where", [0, 5, 40, 0.5, -40, -1])
def test_one_changed_byte_anywhere_is_compiled_again(folder, ending, where):
    run()
    (file,) = files(folder, ending)
    data = bytearray(file.read_bytes())
    data[int(len(data) * where) if isinstance(where, float) else where] ^= 0x41
    file.write_bytes(data)
    assert run() == (0, 1)
    assert run() == (1, 0)


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("content", [b"", b"\x80", b"not a cache at all", os.urandom(4096)])
def test_files_that_are_something_else_are_compiled_again(folder, ending, content):
    run()
    (file,) = files(folder, ending)
    file.write_bytes(content)
    assert run() == (0, 1)
    assert run() == (1, 0)


def test_a_file_that_is_gone_is_compiled_again(folder):
    run()
    files(folder, "nbc")[0].unlink()
    assert run() == (0, 1)


def test_a_changed_kernel_elsewhere_makes_all_kernels_new(folder, monkeypatch):
    run()
    monkeypatch.setattr(kernel_cache, "kernels_digest", lambda: b"another release")
    assert run() == (0, 1)


def test_a_folder_that_fills_up_while_a_kernel_is_kept(folder, monkeypatch, caplog):
    from numba.core.caching import IndexDataCacheFile

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "_save_data", full)
    with caplog.at_level(logging.WARNING, "fpmatch.kernel_cache"):
        assert run() == (0, 1)
    assert "cannot be kept" in caplog.text


def test_no_folder_at_all(monkeypatch, caplog):
    from numba.core.caching import CacheImpl

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    kernel_cache._say_once.cache_clear()
    with caplog.at_level(logging.WARNING, "fpmatch.kernel_cache"):
        assert kernel(double)(np.arange(2)).tolist() == [0, 2]
        assert kernel(double)(np.arange(2)).tolist() == [0, 2]
    assert caplog.text.count("NUMBA_CACHE_DIR") == 1


def test_a_service_that_may_write_nowhere_compares(tmp_path):
    """As in a container: neither the package nor the home can be written."""
    home = tmp_path / "home"
    home.write_text("no folder")
    code = (
        "import numba.core.caching as c\n"
        "def denied(*a, **k): raise PermissionError(13, 'denied')\n"
        "c.tempfile.TemporaryFile = denied\n"
        "from fpmatch.jit import kernel\n"
        "print(kernel(lambda x: x + 1)(2))\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_CACHE")}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "3"
