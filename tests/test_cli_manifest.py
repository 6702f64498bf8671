"""Files become records: never two people one, and nothing in a manifest is passed over."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from test_cli import as_json

from fpmatch.bulk import files
from fpmatch.bulk.manifest import read_manifest
from fpmatch.bulk.naming import unique_names
from fpmatch.errors import InputError


@pytest.fixture
def people(synthetic_data, tmp_path) -> Path:
    """Three folders, one for each of three invented people, each with a right index finger."""
    for name, finger in (("ash", 1), ("birch", 2), ("cedar", 3)):
        folder = tmp_path / "people" / name
        folder.mkdir(parents=True)
        shutil.copy(synthetic_data / "optical" / f"{finger}_1.png", folder / "right_index.png")
    return tmp_path / "people"


def _init(fpm, path):
    assert fpm("init", path, "--partition", "criminal:1:DOJ-FBI")[0] == 0
    return path


def test_prints_of_several_people_do_not_become_one_record(fpm, people, tmp_path):
    gallery = _init(fpm, tmp_path / "g.fpm")
    files = sorted(people.glob("*/right_index.png"))
    code, _, err = fpm("enrol", gallery, "criminal", *files)
    assert code == 2
    assert str(files[0]) in err
    assert str(files[1]) in err
    result = as_json(fpm("enrol", gallery, "criminal", *files, "--names", "path", "--json", "-"))
    assert result["accepted"] == 3
    result = as_json(fpm("enrol", gallery, "criminal", *files, "--names", "folder", "--json", "-"))
    assert result["accepted"] == 3


def test_extract_does_not_overwrite_one_persons_template_by_anothers(fpm, people, tmp_path):
    files = sorted(people.glob("*/right_index.png"))
    out = tmp_path / "templates"
    code, _, err = fpm("extract", *files, "--out", out)
    assert code == 2
    assert str(files[0]) in err
    assert not out.exists()
    assert fpm("extract", *files, "--out", out, "--names", "path")[0] == 0
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.fpt")) == [
        "ash/right_index.fpt", "birch/right_index.fpt", "cedar/right_index.fpt",
    ]  # fmt: skip


def test_a_second_call_does_not_overwrite_either(fpm, people, tmp_path):
    first, second = people / "ash/right_index.png", people / "birch/right_index.png"
    out = tmp_path / "templates"
    assert fpm("extract", first, "--out", out)[0] == 0
    held = (out / "right_index.fpt").read_bytes()
    code, _, err = fpm("extract", second, "--out", out)
    assert code == 2
    assert "--force" in err
    assert (out / "right_index.fpt").read_bytes() == held
    assert fpm("extract", first, "--out", out)[0] == 0
    assert fpm("extract", second, "--out", out, "--force")[0] == 0
    assert (out / "right_index.fpt").read_bytes() != held


def test_two_endings_of_one_name_are_told_apart_or_refused(people):
    one = people / "ash/right_index.png"
    other = one.with_suffix(".tif")
    shutil.copy(one, other)
    for naming in ("file", "path"):
        with pytest.raises(InputError, match=r"right_index\.tif"):
            unique_names([one, other], naming)


def test_one_file_named_twice_is_one_file(people):
    one = people / "ash/right_index.png"
    link = people / "birch/again/right_index.png"
    link.parent.mkdir()
    link.symlink_to(one)
    assert [len(e.parts) for e in files([one, one]).items()] == [1]
    assert set(unique_names([one, link]).values()) == {"right_index"}
    assert [len(e.parts) for e in files([one, link], names="file").items()] == [1]


def test_folders_of_one_name_are_refused(people):
    shutil.copytree(people / "ash", people / "more" / "ash")
    found = sorted(people.rglob("ash/right_index.png"))
    with pytest.raises(InputError, match="ash"):
        files(found, names="folder")
    assert files(found, names="path").total == 2


def test_a_manifest_and_a_file_of_one_name_are_refused(people, tmp_path):
    manifest = tmp_path / "list.csv"
    manifest.write_text("record,file\nright_index,people/ash/right_index.png\n")
    with pytest.raises(InputError, match="manifest"):
        files([manifest, people / "birch/right_index.png"], names="file")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_manifests_as_spreadsheets_write_them(tmp_path, encoding, separator):
    path = tmp_path / "list.csv"
    lines = ["Record,File,Position", "Z\u00fcrich-1,a.png,right-index", "Z\u00fcrich-1,b.png,7"]
    text = "\r\n".join(lines).replace(",", separator)
    path.write_bytes(text.encode(encoding))
    (entry,) = read_manifest(path)
    assert entry.record == "Z\u00fcrich-1"
    assert [(p.path, p.position) for p in entry.parts] == [
        (str(tmp_path / "a.png"), "right-index"),
        (str(tmp_path / "b.png"), "7"),
    ]


def test_a_manifest_sets_everything_that_a_record_has(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(
        "record,file,identity,event,contributor,protected,banned_uses\n"
        "R-1,a.png,P-1,2026-1,CA0380100,yes,CNA purpose:F\n"
        "R-1,b.png,P-1,2026-2,CA0380100,yes,CNA purpose:F\n"
    )
    first, second = read_manifest(path)
    assert (first.identity, first.contributor, first.protected) == ("P-1", "CA0380100", True)
    assert first.banned_uses == {"CNA", "purpose:F"}
    assert (first.event, second.event) == ("2026-1", "2026-2")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("record,file,protcted\nR,a.png,yes\n", "protcted"),
        ("record,file,file\nR,a.png,b.png\n", "once"),
        ("record\nR\n", "file"),
        ("", "none"),
    ],
)
def test_no_column_of_a_manifest_is_passed_over(tmp_path, text, says):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        read_manifest(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("record,file,protected\nR,a.png,maybe\n", "line 2"),
        ("record,file\nR,a.png,b.png\n", "line 2"),
        ("record,file\n,a.png\n", "line 2"),
        ("record,file\nR\n", "line 2"),
        ("record,file,protected\nR,a.png,yes\nR,b.png,no\n", "line 3"),
        ("record,file,protected\nR,a.png,yes\nR,b.png,maybe\n", "line 3"),
        ("record,file,sha256\nR,a.png,abc\n", "64"),
        ('record,file,banned_uses\nR,a.png,"[1]"\n', "banned_uses"),
    ],
)
def test_a_bad_row_refuses_its_whole_record_and_no_other(tmp_path, text, says):
    path = tmp_path / "list.csv"
    path.write_text(f"{text}S,c.png\n")
    first, second = read_manifest(path)
    assert first.problem is not None
    assert says in first.problem[1]
    assert (second.record, second.problem) == ("S", None)


def test_a_manifest_in_another_encoding_says_so(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes("record,file\nZ\u00fcrich,a.png\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read_manifest(path)


def test_file_names_that_are_no_utf8_are_reported(fpm, people, tmp_path):
    odd = tmp_path / "odd\udcff.png"
    try:
        odd.write_bytes(b"no image")
    except (OSError, UnicodeError):
        pytest.skip("this file system takes UTF-8 names only")
    code, out, _ = fpm("extract", odd, people / "ash/right_index.png", "--json", "-")
    assert code == 2
    assert r"odd\udcff.png" in out
    code, out, _ = fpm(
        "extract", odd, people / "ash/right_index.png", "--json", tmp_path / "o.json"
    )
    assert code == 2
    assert (tmp_path / "o.json").exists()
