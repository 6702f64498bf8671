"""Galleries on media that cannot be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_helpers import POLICY, Clock, folder, found, record

from fpmatch.errors import FpmatchError, InputError, StorageError
from fpmatch.policy import Policy
from fpmatch.search import Engine

TESTS = Path(__file__).parent


def opened(place: Path, mode: str = "r", **more: Any) -> Engine:
    return Engine.open(place, mode, clock=Clock(), durability="off", **more)


@pytest.fixture
def place() -> Iterator[Path]:
    path = folder()
    shutil.rmtree(path)
    with Engine.create(path, clock=Clock(), durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        e.enrol("criminal", [record("C-1", 1), record("C-2", 2)])
        e.seal("C-2", order="o", authority="a")
        e.publish(Policy.parse(POLICY))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def content(place: Path) -> dict[str, bytes]:
    return {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*") if p.is_file()}


def test_a_log_apart_leaves_the_gallery_as_it_is(place, tmp_path):
    before = content(place)
    for _ in range(2):
        with opened(place, apart=tmp_path / "log") as e, opened(place, apart=tmp_path / "log") as f:
            assert (found(e, 1), found(f, 2)) == (["C-1"], [])
            assert [m.partition for m in e.notifications()]
            assert e.audit.verify().ok
    assert content(place) == before
    with opened(place, apart=tmp_path / "log") as e:
        assert sum(1 for _ in e.audit.records(kind="INTENT")) == 4
        assert e.count("criminal", _owner()).records == 2


def _owner() -> Any:
    from fpmatch.types import RecordsRequest

    return RecordsRequest(owner="DOJ-FBI")


def test_what_a_log_apart_does_not_go_with(place, tmp_path):
    with pytest.raises(InputError, match="mode 'r'"):
        opened(place, "rw", apart=tmp_path / "log")
    with pytest.raises(StorageError, match="is a gallery"):
        opened(place, apart=place)
    with pytest.raises(StorageError, match="no gallery"):
        opened(tmp_path, apart=tmp_path / "log")
    opened(place, apart=tmp_path / "log").close()
    other = tmp_path / "other"
    with Engine.create(other, durability="off"):
        pass
    with pytest.raises(InputError, match="another gallery"):
        opened(other, apart=tmp_path / "log")


def test_a_gallery_that_was_not_closed_is_refused(place, tmp_path):
    """What its last writer committed is in the write-ahead log, which nobody may apply."""
    copy = tmp_path / "copy"
    with opened(place, "rw") as w:
        w.enrol("criminal", [record("C-3", 3)])
        shutil.copytree(place, copy)
    assert (copy / "gallery.sqlite-wal").stat().st_size
    with pytest.raises(StorageError, match="not closed"):
        opened(copy, apart=tmp_path / "log")
    opened(copy, "rw").close()
    with opened(copy, apart=tmp_path / "log") as e:
        assert found(e, 3) == ["C-3"]


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_read_only import FpmatchError, found, opened
place, log = Path(sys.argv[1]), Path(sys.argv[2])
for mode in ("r", "rw"):
    try:
        opened(place, mode)
    except FpmatchError as error:
        print(mode, type(error).__name__, "apart=" in str(error))
with opened(place, apart=log) as e:
    print(found(e, 1), found(e, 2), e.audit.verify().ok)
"""


def test_a_file_system_that_cannot_be_written(place, tmp_path):
    if shutil.which("unshare") is None or not hasattr(os, "getuid") or os.getuid() != 0:
        pytest.skip("mounting a folder for reading only takes root and `unshare`")
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" "$0" && exec "$@"'
    shell = ["unshare", "-m", "sh", "-c", mount, str(place)]
    if subprocess.run([*shell, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets no folder be mounted")
    child = [sys.executable, "-c", CHILD, str(place), str(tmp_path / "log"), str(TESTS)]
    done = subprocess.run([*shell, *child], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "r StorageError True"
    assert said[1].startswith("rw ")
    assert said[2] == "['C-1'] [] True"
    assert issubclass(StorageError, FpmatchError)
