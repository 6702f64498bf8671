"""Bulk enrolment: as one by one, errors by item, sources of every kind, workers that die."""

from __future__ import annotations

import csv
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import format_cases as cases
import pytest
from engine_helpers import ON, engine, print_of, record, request

from fpmatch import bulk, formats
from fpmatch.checks import check_choice
from fpmatch.errors import FpmatchError, InputError, ReadOnlyError, WorkerError
from fpmatch.parameters import BULK, EXTRACTOR_NAMES, SEARCH
from fpmatch.search import Engine
from fpmatch.types import FingerPosition, Record, RecordsRequest

OWNER = RecordsRequest(owner="DOJ-FBI")


@pytest.fixture
def empty() -> Iterator[Engine]:
    with engine({}) as e:
        yield e


def folder_of(place: Path, people: range, **names: str) -> Path:
    place.mkdir(exist_ok=True)
    for i in people:
        (place / f"R-{i:03d}.fpt").write_bytes(print_of(i).to_bytes())
    return place


def held(e: Engine) -> list[str]:
    return [r.record for r in e.records("criminal", OWNER)]


def root(e: Engine) -> str:
    return e._state.gallery.root("criminal")


def reasons(report: bulk.BulkReport) -> list[tuple[str, str]]:
    return [(e.record, e.error) for e in report.errors]


# -- as one by one -----------------------------------------------------------------------------


def test_pictures_in_processes_are_enrolled_as_one_by_one(empty, synthetic_data, tmp_path):
    place = tmp_path / "prints"
    place.mkdir()
    for i in range(1, 5):
        os.symlink(synthetic_data / "optical" / f"{i}_1.png", place / f"{i}.png")
    (place / "5.fpt").write_bytes(print_of(5).to_bytes())
    report = bulk.enrol(empty, "criminal", place, workers=2, ppi=500, position=2)
    assert report.ok, report.errors
    assert (report.read, report.accepted, report.fingers, report.skipped) == (5, 5, 5, 0)
    import fpmatch as fp

    with engine({}) as other:
        for i in range(1, 5):
            image = fp.read_image(place / f"{i}.png", ppi=500)
            finger = fp.extract(image, position=FingerPosition.RIGHT_INDEX)
            other.enrol("criminal", [Record(str(i), [finger])])
        other.enrol("criminal", [record("5", 5)])
        assert root(other) == root(empty)
        asked = request(ON, fingers=[finger], tcn="same")
        one, two = (e.search(asked)["criminal"].candidates for e in (other, empty))
        assert one == two
        assert one[0].record == "4"


@pytest.mark.parametrize("workers", [0, 1])
def test_many_templates_keep_their_order_and_every_batch(empty, tmp_path, workers):
    many = SEARCH.enrol_batch + 40
    place = folder_of(tmp_path / "many", range(many))
    told = []
    report = bulk.enrol(empty, "criminal", place, workers=workers, progress=told.append)
    assert (report.accepted, report.ok) == (many, True)
    with engine({}) as other:
        other.enrol("criminal", [record(f"R-{i:03d}", i) for i in range(many)])
        assert root(other) == root(empty)
        query = "SELECT r.record FROM finger f JOIN record r ON r.id = f.record ORDER BY f.key"
        one, two = (e._state.gallery.database.execute(query).fetchall() for e in (other, empty))
        assert one == two
    stored = [now.stored for now in told]
    assert stored == sorted(stored)
    assert SEARCH.enrol_batch in stored
    assert (told[-1].read, told[-1].total, told[-1].records) == (many, many, many)


def test_no_more_items_are_taken_ahead_than_are_allowed(empty):
    class Endless:
        total = None
        given = 0

        def items(self):
            for i in range(1000):
                self.given += 1
                yield bulk.Item(f"R-{i}", made=record(f"R-{i}", i % 50))

    source = Endless()
    ahead = []
    bulk.enrol(empty, "criminal", source, workers=1,
               progress=lambda now: ahead.append(source.given - now.stored))  # fmt: skip
    assert max(ahead) <= BULK.ahead + SEARCH.enrol_batch
    assert len(held(empty)) == 1000


# -- going on ----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_there_is_left_out_and_what_changed_is_refused(empty, tmp_path, workers):
    place = folder_of(tmp_path / "some", range(4))
    assert bulk.enrol(empty, "criminal", place, workers=workers).accepted == 4
    before = root(empty)
    (place / "R-001.fpt").write_bytes(print_of(31).to_bytes())
    folder_of(place, range(4, 6))
    report = bulk.enrol(empty, "criminal", place, workers=workers)
    assert (report.accepted, report.skipped, report.fingers) == (2, 3, 2)
    assert reasons(report) == [("R-001", "ChangedError")]
    assert str(place / "R-001.fpt") == report.errors[0].file
    assert before != root(empty)
    added = bulk.enrol(empty, "criminal", place, workers=workers, resume=False)
    assert (added.accepted, added.fingers, added.ok) == (6, 1, True)
    assert [f.record for f in added.flags] == ["R-001"]
    assert bulk.enrol(empty, "criminal", place, workers=workers).skipped == 6


def test_a_changed_field_is_a_changed_item(empty, tmp_path):
    place = folder_of(tmp_path / "some", range(1))
    table = tmp_path / "list.csv"
    for text, skipped in (("no", 0), ("no", 1), ("yes", 0)):
        table.write_text(f"protected,file,record\n{text},some/R-000.fpt,P-1\n")
        report = bulk.enrol(empty, "criminal", table)
        assert report.skipped == skipped
    assert reasons(report) == [("P-1", "ChangedError")]
    assert not empty.record("criminal", "P-1", OWNER).protected
    assert place.exists()


def test_an_item_of_which_a_file_failed_comes_again(empty, tmp_path):
    place = folder_of(tmp_path / "P-1", range(2))
    good = (place / "R-001.fpt").read_bytes()
    (place / "R-001.fpt").write_bytes(good[:50])
    source = bulk.files(place, names="folder")
    for fingers in (1, 0):
        report = bulk.enrol(empty, "criminal", source)
        assert (report.fingers, reasons(report)) == (fingers, [("P-1", "FormatError")])
    (place / "R-001.fpt").write_bytes(good)
    assert bulk.enrol(empty, "criminal", source).fingers == 1
    assert bulk.enrol(empty, "criminal", source).skipped == 1


def test_a_folder_that_was_moved_is_the_same_folder(empty, tmp_path):
    place = folder_of(tmp_path / "old", range(3))
    bulk.enrol(empty, "criminal", place)
    place.rename(tmp_path / "new")
    assert bulk.enrol(empty, "criminal", tmp_path / "new").skipped == 3


def test_rows_of_a_record_that_come_apart_are_no_change(empty):
    pa = pytest.importorskip("pyarrow")
    who = ["A", "B", "A", "C"]
    table = pa.table({"template": [print_of(i).to_bytes() for i in range(4)], "record": who})
    for expected in ((3, 4, 0), (0, 0, 4)):
        report = bulk.enrol(empty, "criminal", table)
        assert (report.accepted, report.fingers, report.skipped) == expected
        assert report.ok
    half = table.slice(0, 2)
    with engine({}) as other:
        bulk.enrol(other, "criminal", half)
        report = bulk.enrol(other, "criminal", table)
        assert (report.fingers, report.skipped, report.ok) == (2, 2, True)
        assert root(other) == root(empty)


def test_cancelled_and_gone_on(empty, tmp_path):
    place = folder_of(tmp_path / "some", range(30))
    wish = threading.Event()
    seen = []

    def tell(now):
        seen.append(now)
        if len(seen) == 7:
            wish.set()

    report = bulk.enrol(empty, "criminal", place, workers=0, cancel=wish, progress=tell)
    assert (report.stopped, report.read, report.accepted) == ("cancelled", 7, 7)
    report = bulk.enrol(empty, "criminal", place, skip=7)
    assert (report.read, report.accepted, report.skipped) == (30, 23, 0)
    assert bulk.enrol(empty, "criminal", place).skipped == 30


# -- errors by item ----------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_each_error_is_its_items_and_named(empty, tmp_path, workers):
    place = folder_of(tmp_path / "some", range(3))
    (place / "blank.png").write_bytes(b"no picture")
    (place / "cut.fpt").write_bytes(print_of(9).to_bytes()[:99])
    (tmp_path / "list.csv").write_text(
        "record,file,position,banned_uses,sha256\n"
        "P-1,some/R-000.fpt,,,\n"
        "P-2,some/gone.fpt,,,\n"
        "P-3,some/blank.png,,,\n"
        "P-4,some/cut.fpt,,,\n"
        "P-5,some/R-001.fpt,nose,,\n"
        "P-6,some/R-001.fpt,,lower case,\n"
        f"P-7,some/R-001.fpt,,,{'0' * 64}\n"
        "P-8,some/R-002.fpt,,,\n"
    )
    told = []
    out = tmp_path / "rejects.csv"
    report = bulk.enrol(empty, "criminal", tmp_path / "list.csv", workers=workers,
                        on_error=told.append, rejects=out)  # fmt: skip
    assert held(empty) == ["P-1", "P-8"]
    assert reasons(report) == [
        ("P-2", "InputError"), ("P-3", "ImageError"), ("P-4", "FormatError"),
        ("P-5", "InputError"), ("P-6", "InputError"), ("P-7", "InputError"),
    ]  # fmt: skip
    assert [e.item for e in report.errors] == [1, 2, 3, 4, 5, 6]
    assert "line 7" in report.errors[4].file
    assert sorted(told, key=lambda e: e.item) == list(report.errors)
    with out.open(newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["item"]))
    assert [(row["record"], row["error"]) for row in rows] == reasons(report)
    lines = tmp_path / "rejects.jsonl"
    bulk.enrol(empty, "criminal", tmp_path / "list.csv", rejects=lines)
    said = [json.loads(line) for line in lines.read_text().splitlines()]
    assert {row["record"] for row in said} == {name for name, _ in reasons(report)}


def test_a_row_that_cannot_be_read_refuses_its_record(empty, tmp_path):
    folder_of(tmp_path / "some", range(3))
    (tmp_path / "list.csv").write_text(
        "record,file,protected\nP-1,some/R-000.fpt,no\nP-2,some/R-001.fpt,no\n"
        "P-1,some/R-002.fpt,yess\n"
    )
    report = bulk.enrol(empty, "criminal", tmp_path / "list.csv")
    assert held(empty) == ["P-2"]
    assert reasons(report) == [("P-1", "InputError")]
    assert "line 4" in report.errors[0].message


def test_too_many_errors_end_it_with_what_was_read_stored(empty, tmp_path):
    place = folder_of(tmp_path / "some", range(3))
    for i in range(5):
        (place / f"R-001x{i}.png").write_bytes(b"no picture")
    report = bulk.enrol(empty, "criminal", place, max_errors=2, workers=0)
    assert (report.stopped, report.failed, report.accepted) == ("max_errors", 3, 2)
    assert held(empty) == ["R-000", "R-001"]
    assert bulk.enrol(empty, "criminal", place, max_errors=5).stopped == ""


def test_errors_of_the_engine_count_as_well(empty, monkeypatch):
    class Banned:
        total = 20

        def items(self):
            for i in range(20):
                made = record(f"R-{i}", i, banned_uses=frozenset({"XYZ"}))
                yield bulk.Item(f"R-{i}", made=made)

    monkeypatch.setattr("fpmatch.search.enrolment.SEARCH", _batches_of(4))
    report = bulk.enrol(empty, "criminal", Banned(), max_errors=3)
    assert (report.stopped, report.failed, report.accepted) == ("max_errors", 4, 0)


def _batches_of(items: int):
    import dataclasses

    return dataclasses.replace(SEARCH, enrol_batch=items)


def test_a_report_holds_so_many_errors_and_counts_all(empty, monkeypatch):
    import dataclasses

    from fpmatch.bulk import enrolment

    monkeypatch.setattr(enrolment, "BULK", dataclasses.replace(BULK, kept_errors=3))

    class Bad:
        total = 9

        def items(self):
            for i in range(9):
                yield bulk.Item(f"R-{i}", problem=("InputError", "no"))

    report = bulk.enrol(empty, "criminal", Bad())
    assert (report.failed, len(report.errors)) == (9, 3)


# -- workers that die --------------------------------------------------------------------------

CRASH = """
import os, sys, time

def hook(event, given):
    name = str(given[0]) if event == "open" and given else ""
    if name.endswith("crash.fpt"):
        os.kill(os.getpid(), 11)
    if name.endswith("hang.fpt"):
        time.sleep(1000)
    if name.endswith("once.fpt") and not os.path.exists(name + ".seen"):
        os.close(os.open(name + ".seen", os.O_CREAT))
        os.kill(os.getpid(), 9)

if sys.argv[-1].isdigit():
    sys.addaudithook(hook)
"""


@pytest.fixture
def crashing(tmp_path, monkeypatch) -> None:
    """Workers in which some files crash what reads them; this process is not one of them."""
    place = tmp_path / "site"
    place.mkdir()
    (place / "sitecustomize.py").write_text(CRASH)
    monkeypatch.setenv("PYTHONPATH", f"{place}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


@pytest.mark.usefixtures("crashing")
@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_file_that_crashes_or_hangs_a_decoder_is_an_error_of_its_item(empty, tmp_path):
    place = folder_of(tmp_path / "some", range(12))
    for name in ("R-003-crash", "R-005-hang", "R-007-once"):
        (place / f"{name}.fpt").write_bytes(print_of(40 + len(name)).to_bytes())
    report = bulk.enrol(empty, "criminal", place, workers=2, item_seconds=3)
    assert reasons(report) == [("R-003-crash", "WorkerError"), ("R-005-hang", "WorkerError")]
    assert "signal 11" in report.errors[0].message
    assert "seconds" in report.errors[1].message
    assert (report.accepted, report.stopped) == (13, "")
    assert "R-007-once" in held(empty)


def test_where_no_process_can_be_started_it_says_so(empty, tmp_path, monkeypatch):
    place = folder_of(tmp_path / "some", range(3))
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(WorkerError, match="workers=0"):
        bulk.enrol(empty, "criminal", place, workers=1)
    assert held(empty) == []
    assert bulk.enrol(empty, "criminal", place, workers=0).ok


# -- sources -----------------------------------------------------------------------------------


def test_empty_sources(empty, tmp_path):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "list.csv").write_text("record,file\n")
    for source in (tmp_path / "nothing", tmp_path / "list.csv", []):
        report = bulk.enrol(empty, "criminal", source)
        assert (report.read, report.ok) == (0, True)
    pa = pytest.importorskip("pyarrow")
    assert bulk.enrol(empty, "criminal", pa.table({"record": [], "template": []})).read == 0


@pytest.mark.parametrize("text", ["", "file\n", "record,file,protcted\nR,a,yes\n", "a,b\n1,2\n"])
def test_a_bad_manifest_is_refused_as_a_whole(empty, tmp_path, text):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(InputError, match="must name the columns"):
        bulk.enrol(empty, "criminal", tmp_path / "list.csv")


def test_columns_stand_in_any_order_and_a_manifest_is_told_by_its_content(empty, tmp_path):
    folder_of(tmp_path, range(1))
    (tmp_path / "list.txt").write_text(
        "event;record;contributor;file\n2026;P-1;CA0380100;R-000.fpt\n"
    )
    assert bulk.enrol(empty, "criminal", tmp_path / "list.txt").ok
    info = empty.record("criminal", "P-1", OWNER)
    assert (info.events, info.contributor) == (("2026",), "CA0380100")


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"template": [b""]}, "no column 'record'"),
        ({"record": ["R"]}, "no column 'template'"),
        ({"record": ["R"], "template": [b""], "protectd": [True]}, "protected"),
    ],
)
def test_wrong_columns_of_a_table(empty, tmp_path, columns, says):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), tmp_path / "t")
    for source in (pa.table(columns), tmp_path / "t"):
        with pytest.raises(InputError, match=says):
            bulk.enrol(empty, "criminal", source)


def test_rows_that_make_no_record_are_errors_of_theirs(empty):
    pa = pytest.importorskip("pyarrow")
    columns = {
        "record": ["A", "B", "", "D"],
        "template": [print_of(1).to_bytes(), b"nothing", print_of(2).to_bytes(), None],
    }
    report = bulk.enrol(empty, "criminal", pa.table(columns))
    assert held(empty) == ["A"]
    assert [e.item for e in report.errors] == [1, 2, 3]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_tables_that_are_damaged_say_so(empty, tmp_path, kind):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "t"
    made = pa.table({"record": ["A"] * 50, "template": [print_of(1).to_bytes()] * 50})
    if kind == "parquet":
        pq.write_table(made, path)
    else:
        with pa.ipc.new_file(path, made.schema) as file:
            file.write(made)
    whole = path.read_bytes()
    assert bulk.enrol(empty, "criminal", path).ok
    for cut in (7, 20, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match="cannot be read"):
            bulk.enrol(empty, "criminal", path)


def test_names_of_files_and_folders_in_any_script(empty, tmp_path):
    place = tmp_path / "Zürich"
    for name in ("李四", "Ørsted", "müller, jun."):
        folder_of(place if place.exists() else tmp_path / "Zürich", range(0))
        folder_of(place / name, range(1))
    report = bulk.enrol(empty, "criminal", place)
    assert report.accepted == 3
    assert held(empty) == sorted(f"{n}/R-000" for n in ("李四", "Ørsted", "müller, jun."))
    report = bulk.enrol(empty, "criminal", bulk.files(place, names="folder"), workers=1)
    assert report.accepted == 3
    with pytest.raises(InputError, match="R-000"):
        bulk.files(place, names="file")


def test_hidden_files_and_those_that_are_not_meant_are_left_out(empty, tmp_path):
    place = folder_of(tmp_path / "some", range(2))
    (place / ".hidden").write_bytes(b"x")
    (place / "R-000.json").write_text("{}")
    (place / ".git").mkdir()
    (place / ".git" / "x.fpt").write_bytes(b"x")
    if hasattr(os, "mkfifo"):
        os.mkfifo(place / "pipe.fpt")
    with pytest.raises(InputError, match="pattern"):
        bulk.files(place)
    report = bulk.enrol(empty, "criminal", bulk.files(place, pattern="*.fpt"))
    assert (report.read, report.ok) == (2, True)


def test_a_file_of_several_impressions_is_a_record_with_all_of_them(empty, tmp_path):
    fingers = [print_of(1), print_of(1, position=FingerPosition.LEFT_THUMB)]
    path = tmp_path / "R-1.iso"
    path.write_bytes(formats.write(formats.from_templates(fingers, "iso2005")))
    report = bulk.enrol(empty, "criminal", path)
    assert (report.accepted, report.fingers) == (1, 2)
    assert len(empty.record("criminal", "R-1", OWNER).positions) == 2


def test_transactions_are_named_by_their_fields(empty, tmp_path):
    for name, number in (("a", "T-1"), ("b", "T-2"), ("c", "T-2")):
        made = cases.booking(control=number)
        (tmp_path / f"{name}.an2").write_bytes(formats.write(made))
    (tmp_path / "d.an2").write_bytes(b"nothing")
    source = bulk.transactions(tmp_path, contributor="2.073")
    report = bulk.enrol(empty, "criminal", source)
    assert held(empty) == ["T-1", "T-2"]
    assert [e.item for e in report.errors] == [2, 3]
    assert "earlier file" in report.errors[0].message
    assert empty.record("criminal", "T-1", OWNER).contributor
    again = bulk.enrol(empty, "criminal", source)
    assert (again.skipped, again.failed) == (2, 2)
    for wrong in ("9.012", "1009", "", "1.x"):
        with pytest.raises(InputError):
            bulk.transactions(tmp_path, record=wrong)
    with pytest.raises(InputError):
        bulk.transactions(tmp_path, event="14.999")


@pytest.mark.data
def test_real_transactions(empty, data):
    source = bulk.transactions(
        [data / "formats/nist_itl/type-4-tpcard.an2", data / "formats/nist_itl/valid1.10.an2"]
    )
    report = bulk.enrol(empty, "criminal", source, workers=2)
    assert report.accepted == 1
    # Ten rolled, two thumbs, and eight that are cut from the two slaps.
    assert report.fingers == 20
    assert [e.item for e in report.errors] == [1]
    assert not report.passed_over
    (kept,) = empty.templates("criminal", OWNER).records
    assert {13, 14} <= {finger.template.slap for finger in kept.fingers}


# -- what is asked for -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": -1}, {"workers": True}, {"workers": 1.5}, {"ppi": "500"}, {"ppi": float("nan")},
        {"extractor": "magic"}, {"position": 11}, {"resume": "yes"}, {"skip": -1},
        {"max_errors": -1}, {"item_seconds": 0}, {"rejects": 3}, {"on_error": 1},
        {"progress": "x"}, {"cancel": 1}, {"rejects": "/nowhere/at/all.csv"},
    ],
    ids=str,
)  # fmt: skip
def test_values_that_cannot_be_used(empty, tmp_path, wrong):
    with pytest.raises(FpmatchError):
        bulk.enrol(empty, "criminal", folder_of(tmp_path / "some", range(1)), **wrong)
    assert held(empty) == []


def test_an_extractor_that_is_none_is_refused_in_the_words_of_every_other_call(empty, tmp_path):
    with pytest.raises(InputError) as said:
        check_choice("extractor", "magic", EXTRACTOR_NAMES)
    with pytest.raises(InputError) as other:
        bulk.enrol(empty, "criminal", folder_of(tmp_path / "s", range(1)), extractor="magic")
    assert str(other.value) == str(said.value)


def test_a_partition_that_is_none_and_an_engine_that_may_not_write(empty, tmp_path):
    with pytest.raises(InputError, match="no partition"):
        bulk.enrol(empty, "nowhere", tmp_path)
    with Engine.create(tmp_path / "g") as made:
        made.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
    with Engine.open(tmp_path / "g") as e, pytest.raises(ReadOnlyError):
        bulk.enrol(e, "criminal", tmp_path)
