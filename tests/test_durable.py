"""Files written whole or not at all, and a disk that fills up while they are."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fpmatch import durable
from fpmatch.errors import WriteError
from fpmatch.index import manifest
from fpmatch.index.segment_format import SegmentWriter

ARRAYS = {"row_ids": (np.dtype("<i8"), (1 << 17,))}


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_replaced_file_is_the_new_one(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with durable.replacing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="space"), durable.replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_folder_is_synced_after_the_name(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(durable, "sync_folder", lambda folder: seen.append(sorted(
        p.name for p in folder.iterdir()
    )))  # fmt: skip
    with durable.replacing(tmp_path / "file") as file:
        file.write(b"new")
    assert seen == [["file"]]


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("size", [1, 4096, (3 << 20) + 5])
def test_reserved_files_are_not_sparse(tmp_path, monkeypatch, native, size):
    if not native:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    with open(tmp_path / "file", "wb") as file:
        durable.reserve(file, size)
    found = os.stat(tmp_path / "file")
    assert found.st_size == size
    assert found.st_blocks * 512 >= size


def test_a_segment_is_reserved_before_it_is_mapped(tmp_path, monkeypatch):
    writer = SegmentWriter(tmp_path / "s.seg", {}, ARRAYS)
    found = os.stat(writer.temporary)
    assert found.st_blocks * 512 >= found.st_size
    monkeypatch.setattr(durable, "reserve", full)
    monkeypatch.setattr("fpmatch.encryption.files.reserve", full)
    with pytest.raises(WriteError, match="full"):
        SegmentWriter(tmp_path / "t.seg", {}, ARRAYS)
    assert not (tmp_path / "t.seg.part").exists()


def test_a_manifest_on_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="room"):
        manifest.write_file(tmp_path / "index.json", b"{}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system in memory")
def test_no_signal_where_the_disk_is_full(tmp_path):
    """A sparse file filled through a memory map ends the process; this one must not be made."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        code = (
            "import numpy as np\nfrom pathlib import Path\n"
            "from fpmatch.index.segment_format import SegmentWriter\n"
            "from fpmatch.errors import WriteError\n"
            "try:\n"
            f"    w = SegmentWriter(Path({str(disk / 's.seg')!r}), {{}},"
            " {'row_ids': (np.dtype('<i8'), (1 << 17,))})\n"
            "    w.array('row_ids')[...] = 1\n"
            "except WriteError: print('refused')\n"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert (run.returncode, run.stdout) == (0, "refused\n"), run.stderr
        assert not list(Path(disk).iterdir())
    finally:
        subprocess.run(["umount", str(disk)], check=True)
