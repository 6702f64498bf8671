"""``fpmatch enrol`` and ``export-records``: folders in and out again, resumed, with rejects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine_helpers import print_of
from test_cli import as_json


@pytest.fixture
def gallery(fpm, tmp_path) -> Path:
    path = tmp_path / "g.fpm"
    assert fpm("init", path, "--partition", "criminal:1:DOJ-FBI")[0] == 0
    return path


@pytest.fixture
def prints(tmp_path) -> Path:
    folder = tmp_path / "prints"
    (folder / "more").mkdir(parents=True)
    for i in range(4):
        (folder / "more" / f"R-{i}.fpt").write_bytes(print_of(i).to_bytes())
    (folder / "R-9.fpt").write_bytes(b"no template")
    (folder / "R-9.txt").write_text("about R-9")
    return folder


def test_a_folder_is_enrolled_resumed_exported_and_enrolled_again(fpm, gallery, prints, tmp_path):
    rejects = tmp_path / "bad.jsonl"
    words = ("enrol", gallery, "criminal", prints, "--pattern", "*.fpt", "--names", "path")
    code, out, _ = fpm(*words, "--rejects", rejects, "--json", "-")
    said = json.loads(out)
    assert (code, said["accepted"], said["failed"], said["read"]) == (2, 4, 1, 5)
    assert said["errors"][0]["record"] == "R-9"
    assert json.loads(rejects.read_text())["error"] == said["errors"][0]["kind"]
    code, out, _ = fpm(*words, "--resume", "--workers", 1, "--json", "-")
    said = json.loads(out)
    assert (code, said["accepted"], said["skipped"]) == (2, 0, 4)
    assert "Enrolled before: 4" in fpm(*words, "--resume")[1]
    for target, more in ((tmp_path / "out", ()), (tmp_path / "o.parquet", ("--format", "parquet"))):
        done = fpm("export-records", gallery, "criminal", target, "--owner", "DOJ-FBI", *more,
                   "--json", "-")  # fmt: skip
        assert as_json(done)["records"] == 4
        other = tmp_path / f"{target.name}.fpm"
        assert fpm("init", other, "--partition", "criminal:1:DOJ-FBI")[0] == 0
        assert as_json(fpm("enrol", other, "criminal", target, "--json", "-"))["fingers"] == 4
        records = as_json(fpm("records", other, "criminal", "--owner", "DOJ-FBI", "--json", "-"))
        assert [r["record"] for r in records["records"]] == [f"more/R-{i}" for i in range(4)]


def test_who_may_not_have_templates_gets_one_line_and_no_file(fpm, gallery, tmp_path):
    for who in (("--owner", "DHS"), ("--ori", "CA0380100"), ()):
        code, _, err = fpm("export-records", gallery, "criminal", tmp_path / "out", *who)
        assert code == 2
        assert err.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_too_many_errors_say_how_to_go_on(fpm, gallery, tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(b"no picture")
    code, out, _ = fpm("enrol", gallery, "criminal", *sorted(tmp_path.glob("*.png")),
                       "--max-errors", 1)  # fmt: skip
    assert code == 2
    assert "--skip 2" in " ".join(out.split())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--event-field", "1.009"), "--record-field"),
        (("--record-field", "9.012"), "1.009"),
        (("--names", "folder", "--record", "x" * 300), "255"),
        (("--rejects", "/no/such/folder/x.csv"), "folder"),
        (("--extractor", "magic"), "magic"),
    ],
    ids=str,
)
def test_options_that_mean_nothing(fpm, gallery, prints, words, says):
    code, _, err = fpm("enrol", gallery, "criminal", prints, "--pattern", "*.fpt", *words)
    assert code == 2
    assert says in err
    assert err.count("\n") == 1


def test_a_table_is_enrolled_alone(fpm, gallery, prints, tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    made = {"record": ["T-1"], "template": [print_of(1).to_bytes()]}
    pq.write_table(pa.table(made), tmp_path / "rows")
    code, _, err = fpm("enrol", gallery, "criminal", tmp_path / "rows", prints)
    assert code == 2
    assert "alone" in err
    assert as_json(fpm("enrol", gallery, "criminal", tmp_path / "rows", "--json", "-"))["read"] == 1
