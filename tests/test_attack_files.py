"""A gallery whose files are others', other things, or gone is refused with an error of ours."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_helpers import POLICY, request, world

import fpmatch as fp
from fpmatch.errors import FpmatchError, LockedError, StorageError
from fpmatch.policy import Policy

NOBODY = 65534


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A gallery below a folder that everybody may look into."""
    top = Path(tempfile.mkdtemp())
    top.chmod(0o755)
    place = top / "county.fpm"
    with fp.Engine.create(place, durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        for name, records in world().items():
            e.enrol(name, records)
        e.publish(Policy.parse(POLICY))
    yield place
    shutil.rmtree(top)


@contextmanager
def unprivileged() -> Iterator[None]:
    """As somebody who owns nothing; root may read everything whatever its mode."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was == 0:
            os.seteuid(was)


@contextmanager
def with_modes(place: Path, file: int, folder: int) -> Iterator[None]:
    paths = [place, *place.rglob("*")]
    before = {path: path.stat().st_mode for path in paths}
    for path in reversed(paths):
        path.chmod(folder if path.is_dir() else file)
    try:
        yield
    finally:
        for path in paths:
            path.chmod(before[path])


CALLS: dict[str, Callable[[Path], object]] = {
    "open": lambda g: fp.Engine.open(g),
    "open rw": lambda g: fp.Engine.open(g, "rw"),
    "create beside": lambda g: fp.Engine.create(g.parent / "another.fpm"),
    "create in it": lambda g: fp.Engine.create(g / "another.fpm"),
    "policy": lambda g: fp.Policy.load(g / "gallery.sqlite"),
    "image": lambda g: fp.read_image(g / "gallery.sqlite"),
    "templates": lambda g: fp.read_templates(g / "gallery.sqlite"),
}


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs POSIX users")
@pytest.mark.parametrize(("file", "folder"), [(0o444, 0o555), (0o000, 0o555), (0o000, 0o000)])
@pytest.mark.parametrize("call", CALLS)
def test_what_may_not_be_read_or_written(made, call, file, folder):
    fp.extract(fp.read_image(Path("data/synthetic/optical/1_1.png"), ppi=500))
    with with_modes(made, file, folder), unprivileged():
        if os.geteuid() != NOBODY and call == "create beside":
            pytest.skip("the folder above is this user's own")
        with pytest.raises(FpmatchError) as caught:
            CALLS[call](made)
    assert not isinstance(caught.value, LockedError)
    assert len(str(caught.value)) < 400


def as_folder(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
        path.write_text("x")
    else:
        path.unlink()
        path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "ledger is a folder": lambda g: as_folder(g / "ledger.sqlite"),
    "gallery is a folder": lambda g: as_folder(g / "gallery.sqlite"),
    "log is a folder": lambda g: as_folder(g / "audit.sqlite"),
    "key is a folder": lambda g: as_folder(g / "audit.sqlite.key"),
    "index is a file": lambda g: as_folder(g / "index"),
    "a partition's index is a file": lambda g: as_folder(g / "index" / "criminal"),
    "living is a file": lambda g: as_folder(g / "living"),
    "no log": lambda g: (g / "audit.sqlite").unlink(),
    "no key": lambda g: (g / "audit.sqlite.key").unlink(),
    "no ledger": lambda g: (g / "ledger.sqlite").unlink(),
    "no gallery": lambda g: (g / "gallery.sqlite").unlink(),
    "empty key": lambda g: (g / "audit.sqlite.key").write_bytes(b""),
    "empty gallery": lambda g: (g / "gallery.sqlite").write_bytes(b""),
    "log of junk": lambda g: (g / "audit.sqlite").write_bytes(b"x" * 5000),
    "ledger of junk": lambda g: (g / "ledger.sqlite").write_bytes(b"x" * 5000),
    "manifest is a folder": lambda g: as_folder(g / "index" / "criminal" / "index.json"),
}


@pytest.mark.parametrize("mode", ["r", "rw"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_something_else(made, tmp_path, damage, mode):
    place = tmp_path / "g"
    shutil.copytree(made, place)
    DAMAGES[damage](place)
    said = ""
    try:
        with fp.Engine.open(place, mode, durability="off") as e:
            # What can be rebuilt is, where it may be written.
            assert mode == "rw"
            assert e.search(request())["criminal"].candidates
    except FpmatchError as error:
        said = str(error)
    assert len(said) < 400


def test_a_folder_that_is_held_is_told_from_one_that_may_not_be_opened(made):
    with fp.Engine.open(made, "rw", durability="off"), pytest.raises(LockedError):
        fp.Engine.open(made, "rw")
    with pytest.raises(StorageError) as caught:
        fp.Engine.open(made / "gallery.sqlite" / "below")
    assert not isinstance(caught.value, LockedError)
