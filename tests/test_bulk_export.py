"""Bulk export: what may leave and for whom, that it is logged, and that it comes back the same."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_helpers import HELD, OFF, ON, OTHER, POLICY, engine, print_of, record, request
from test_attack_opaque import OPAQUE
from test_engine_looking import ORDER, hidden

from fpmatch import bulk, formats
from fpmatch.audit import Kind
from fpmatch.errors import FpmatchError, InputError, RefusedError
from fpmatch.gallery.removing import UNIFORM
from fpmatch.policy import Policy
from fpmatch.search import Engine, crash_points
from fpmatch.types import FingerPosition, Record, RecordsRequest, SourcedRecord

NAMES = '"CNA", "RECORDS", "EXPORT"]'
EXPORTS = POLICY.replace('"CNA"]', NAMES)
WHERE = "immigration"
OWNER = RecordsRequest(owner="DHS")
OPEN = ["I-1", "I-2", "I-7", "I-8"]
FILES = ("fpt", "parquet", "arrow")


def asks(ori: str = ON, **more) -> RecordsRequest:
    return RecordsRequest(booking_ori=ori, **more)


@contextmanager
def with_hidden(text: str = EXPORTS) -> Iterator[Engine]:
    with engine(hidden(), text) as e:
        ban = {"EXPORT"} if "EXPORT" in text else {"CNA", "purpose:C"}
        more = [
            record("I-export", 15, banned_uses=frozenset(ban)),
            record("I-gone", 16),
            record("I-8", 8, touch=1, event="encounter"),
        ]
        assert e.enrol(WHERE, more).ok
        e.seal("I-sealed", partition=WHERE, **ORDER)
        e.expunge("I-gone", partition=WHERE, **ORDER)
        yield e


def manifest(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def exported(e: Engine, out: Path, who: RecordsRequest, **more) -> list[str]:
    report = bulk.export(e, WHERE, out, who, **more)
    names = [row["record"] for row in manifest(out)]
    assert report.records == len(set(names))
    assert who.owner or len(names) == len(set(names))
    return list(dict.fromkeys(names))


def events(e: Engine, *kinds: Kind) -> list[tuple[str, dict]]:
    return [(r.kind, r.fields) for r in e.audit.records() if r.kind in kinds]


# -- who may -----------------------------------------------------------------------------------


def test_an_agency_takes_what_its_searches_show_and_nothing_with_a_ban(tmp_path):
    with with_hidden() as e:
        assert exported(e, tmp_path / "a", asks()) == OPEN
        assert exported(e, tmp_path / "b", asks(role="advocate")) == [*OPEN, "I-protected"]
        # A purpose that a contributor did not ban is not enough: the copy would be free of the ban.
        assert exported(e, tmp_path / "c", asks(purpose="D")) == OPEN
        for row in manifest(tmp_path / "a"):
            facts = [row[c] for c in ("identity", "event", "contributor", "banned_uses")]
            assert (facts, row["protected"]) == ([""] * 4, "no")


def test_the_owner_takes_bans_along_and_nothing_sealed_or_banned_for_this(tmp_path):
    with with_hidden() as e:
        names = exported(e, tmp_path / "a", OWNER)
        assert names == [*OPEN[:2], "I-7", "I-8", "I-banned", "I-protected"]
        rows = {row["record"]: row for row in manifest(tmp_path / "a")}
        assert rows["I-protected"]["protected"] == "yes"
        assert "CAR" in rows["I-banned"]["banned_uses"].split()
        later = exported(e, tmp_path / "b", RecordsRequest(owner="DHS", purpose="D"))
        assert set(later) - set(names) == {"I-purpose"}
        e.unseal("I-sealed", partition=WHERE, **ORDER)
        assert "I-sealed" in exported(e, tmp_path / "c", OWNER)


@pytest.mark.parametrize("format", FILES)
def test_nothing_of_what_may_not_leave_is_in_any_byte(tmp_path, format):
    with with_hidden() as e:
        bulk.export(e, WHERE, tmp_path / "out", OWNER, format=format)
    found = [tmp_path / "out", *(tmp_path / "out").rglob("*")]
    written = b"".join(p.read_bytes() for p in found if p.is_file())
    if format == "parquet":
        rows = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "out").to_pylist()
        written = b"".join(row["record"].encode() + row["template"] for row in rows)
    assert b"I-banned" in written
    for name, person in (("I-sealed", 14), ("I-gone", 16), ("I-export", 15), ("I-purpose", 13)):
        assert name.encode() not in written
        assert print_of(person).to_bytes() not in written


@pytest.mark.parametrize(
    ("who", "text"),
    [
        (asks(OFF), EXPORTS),
        (asks(HELD), EXPORTS),
        (asks(OTHER), EXPORTS),
        (asks(ON), POLICY),
        (RecordsRequest(owner="DOJ-FBI"), EXPORTS),
    ],
    ids=["switched off", "withheld", "no rule", "not declared", "another owner"],
)
@pytest.mark.parametrize("format", FILES)
def test_a_policy_that_denies(tmp_path, who, text, format):
    with with_hidden(text) as e:
        with pytest.raises(FpmatchError) as error:
            bulk.export(e, WHERE, tmp_path / "out", who, format=format)
        assert isinstance(error.value, RefusedError)
        assert list(tmp_path.iterdir()) == []
        (asked, said), (given, found) = events(e, Kind.TEMPLATES_ASKED, Kind.TEMPLATES_GIVEN)
        assert (asked, said["what"]) == (Kind.TEMPLATES_ASKED, "EXPORT")
        assert (given, found["result"], found["records"]) == (Kind.TEMPLATES_GIVEN, "refused", 0)


def test_where_the_policy_is_opaque_nothing_leaves_and_it_looks_like_absent(tmp_path):
    text = OPAQUE.replace('"CNA"]', NAMES)
    with engine(hidden(), text) as e:
        said = set()
        for place, who in ((WHERE, asks(ON)), (WHERE, asks(OFF)), ("nowhere", OWNER)):
            with pytest.raises(RefusedError) as error:
                e.templates(place, who)
            said.add(str(error.value))
        assert said == {UNIFORM}
        assert e.records(WHERE, asks(ON)).records
        assert e.templates(WHERE, OWNER).records


def test_each_page_is_logged_before_it_leaves(tmp_path):
    with with_hidden() as e:
        bulk.export(e, WHERE, tmp_path / "out", asks(), page=3)
        found = events(e, Kind.TEMPLATES_ASKED, Kind.TEMPLATES_GIVEN)
        assert [kind for kind, _ in found] == [Kind.TEMPLATES_ASKED, Kind.TEMPLATES_GIVEN] * 2
        given = [fields for kind, fields in found if kind == Kind.TEMPLATES_GIVEN]
        assert [fields["records"] for fields in given] == [3, 1]
        assert found[0][1]["cri"] == ON
        assert not events(e, Kind.LOOK, Kind.SHOWN)
        assert e.audit.verify().ok


def test_a_policy_that_changes_in_the_middle_stops_it_and_leaves_nothing(tmp_path):
    closed = Policy.parse(EXPORTS.replace('mode = "interoperable"', 'mode = "results_withheld"', 1))
    with with_hidden() as e:
        for format in FILES:
            e.publish(Policy.parse(EXPORTS))
            told = []

            def tell(records, told=told):
                told.append(records)
                if len(told) == 1:
                    e.publish(closed)

            with pytest.raises(RefusedError):
                bulk.export(
                    e, WHERE, tmp_path / "out", asks(), page=2, format=format, progress=tell
                )
            assert told == [2]
            assert list(tmp_path.iterdir()) == []


def test_a_policy_that_changes_while_a_page_is_read_gives_none_of_it(monkeypatch):
    closed = Policy.parse(EXPORTS.replace('mode = "interoperable"', 'mode = "results_withheld"', 1))
    with with_hidden() as e:
        monkeypatch.setattr(
            crash_points, "hook", lambda name: name == "look.read" and e.publish(closed)
        )
        with pytest.raises(RefusedError):
            e.templates(WHERE, asks())
        assert events(e, Kind.TEMPLATES_GIVEN)[-1][1]["reason"] == "RELEASE_DENIED"


# -- there and back ----------------------------------------------------------------------------

ODD = (
    " led and trailed ", "a,b", 'say "x"', "=1+1", "../../etc/passwd", "Zürich 李", "semi;colon",
    "x" * 255, "'", "#", "-rf",
)  # fmt: skip


def odd() -> list[Record]:
    people = [
        Record(name, [print_of(40 + i)], identity=f" P,{i}", event=f"e;{i}", contributor=ON)
        for i, name in enumerate(ODD)
    ]
    thumb = print_of(1, position=FingerPosition.LEFT_THUMB)
    people += [
        Record("R-1", [print_of(1), thumb], identity="P-1", event="2025"),
        Record("R-1", [print_of(1), print_of(1, 2)], identity="P-1", event="2026"),
        record("R-2", 2, protected=True),
        record("R-3", 3, banned_uses=frozenset({"CAR", "purpose:F", "role:the advocate"})),
    ]
    return people


@pytest.mark.parametrize("page", [2, 1000])
@pytest.mark.parametrize("format", FILES)
def test_there_and_back_is_the_same_gallery(tmp_path, format, page):
    people = odd()
    text = EXPORTS.replace('"advocate"]', '"advocate", "the advocate"]')
    with engine({WHERE: people, "criminal": []}, text) as e, engine({}, text) as other:
        report = bulk.export(e, WHERE, tmp_path / "out", OWNER, format=format, page=page)
        assert (report.records, report.fingers, report.failed) == (len(ODD) + 3, len(ODD) + 5, 0)
        back = bulk.enrol(other, WHERE, tmp_path / "out")
        assert back.ok, back.errors
        roots = [x._state.gallery.root(WHERE) for x in (e, other)]
        assert roots[0] == roots[1]
        for person in (1, 2, 3, 44, 45, 46):
            for more in ({}, {"role": "advocate"}, {"purpose": "F"}):
                asked = request(ON, person=person, tcn=f"T-{person}-{more}", **more)
                one, two = (x.search(asked)[WHERE] for x in (e, other))
                assert one.candidates == two.candidates
        assert bulk.enrol(other, WHERE, tmp_path / "out").skipped == len(people)


@pytest.mark.parametrize("format", FILES)
def test_where_templates_came_from_goes_along(tmp_path, format):
    source = tmp_path / "source"
    source.mkdir()
    picture = source / "R-1.iso"
    picture.write_bytes(formats.write(formats.from_templates([print_of(1)], "iso2005")))
    said = hashlib.sha256(picture.read_bytes()).digest()
    with engine({}, EXPORTS) as e, engine({}, EXPORTS) as other:
        bulk.enrol(e, WHERE, source)
        bulk.export(e, WHERE, tmp_path / "out", OWNER, format=format)
        bulk.enrol(other, WHERE, tmp_path / "out")
        for one in (e, other):
            (kept,) = one.templates(WHERE, OWNER).records
            assert [f.source for f in kept.fingers] == [said]
        # An expungement leaves nothing of it.
        e.expunge("R-1", order="o", authority="a")
        database = e._state.gallery.database
        for table in ("origin", "item"):
            assert database.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,)


def test_an_event_that_is_expunged_takes_its_origin_along():
    with engine({}, EXPORTS) as e:
        for event, digest in (("a", b"1" * 32), ("b", b"2" * 32)):
            made = SourcedRecord("R", [print_of(1)], event=event, item=digest, sources=(digest,))
            assert e.enrol(WHERE, [made]).ok
        assert e.taken(WHERE, "R", "a") == {b"1" * 32}
        e.expunge("R", level="event", event="a", order="o", authority="a")
        assert e.taken(WHERE, "R", "a") == frozenset()
        (kept,) = e.templates(WHERE, OWNER).records
        assert [(f.event, f.source) for f in kept.fingers] == [("b", b"2" * 32)]


@pytest.mark.parametrize(
    "wrong",
    [{"item": b"short"}, {"item": "x" * 32}, {"sources": (b"",) * 2}, {"sources": ("a" * 32,)},
     {"sources": 3}],
    ids=str,
)  # fmt: skip
def test_digests_that_are_none_are_refused(wrong):
    with engine({}) as e:
        report = e.enrol(WHERE, [SourcedRecord("R", [print_of(1)], **wrong)])
        assert len(report.errors) == 1
        assert report.accepted == 0


@pytest.mark.parametrize("format", ["iso2005", "iso2011", "incits2004", "incits2009", "xyt"])
def test_other_formats_of_minutiae(tmp_path, format):
    with engine({WHERE: [record("R-1", 1), record("R-2", 2)]}, EXPORTS) as e:
        bulk.export(e, WHERE, tmp_path / "out", OWNER, format=format)
        for row in manifest(tmp_path / "out"):
            path = tmp_path / "out" / row["file"]
            assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert formats.recognise(path) == format
        with engine({}, EXPORTS) as other:
            assert bulk.enrol(other, WHERE, tmp_path / "out").ok
            best = other.search(request(ON, person=2))[WHERE].candidates[0]
            assert best.record == "R-2"
            assert best.score > 50


@pytest.mark.parametrize("format", FILES)
def test_a_finger_that_was_cut_from_a_slap_says_so_in_an_export_too(tmp_path, format):
    cut = dataclasses.replace(print_of(1), slap=13)
    with engine({WHERE: [Record("R-1", [cut, print_of(2)])]}, EXPORTS) as e:
        bulk.export(e, WHERE, tmp_path / "out", OWNER, format=format)
    if format == "fpt":
        said = [row["slap"] for row in manifest(tmp_path / "out")]
    elif format == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        said = parquet.read_table(tmp_path / "out")["slap"].to_pylist()
    else:
        arrow = pytest.importorskip("pyarrow.ipc")
        said = arrow.open_file(tmp_path / "out").read_all()["slap"].to_pylist()
    assert said == (["13", ""] if format == "fpt" else [13, 0])


def test_a_file_that_was_changed_after_the_export_is_refused(tmp_path):
    with engine({WHERE: [record("R-1", 1), record("R-2", 2)]}, EXPORTS) as e:
        bulk.export(e, WHERE, tmp_path / "out", OWNER)
    first = manifest(tmp_path / "out")[0]
    (tmp_path / "out" / first["file"]).write_bytes(print_of(9).to_bytes())
    with engine({}, EXPORTS) as other:
        report = bulk.enrol(other, WHERE, tmp_path / "out")
        assert [(e.record, e.error) for e in report.errors] == [("R-1", "InputError")]
        assert "SHA-256" in report.errors[0].message


# -- where to ----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FILES)
def test_nothing_is_replaced(tmp_path, format):
    with engine({WHERE: [record("R-1", 1)]}, EXPORTS) as e:
        out = tmp_path / "out"
        out.write_text("mine")
        with pytest.raises(InputError, match="already"):
            bulk.export(e, WHERE, out, OWNER, format=format)
        assert out.read_text() == "mine"
        for wrong in (tmp_path / "no" / "such", "", 7, "a\x00b"):
            with pytest.raises(FpmatchError):
                bulk.export(e, WHERE, wrong, OWNER, format=format)
        out.unlink()
        out.with_name("out.part").mkdir()
        with pytest.raises(InputError, match="cut off"):
            bulk.export(e, WHERE, out, OWNER, format=format)
        out.with_name("out.part").rmdir()
        bulk.export(e, WHERE, out, OWNER, format=format)
        assert out.stat().st_mode & 0o077 == 0


def test_an_empty_partition_and_what_an_export_says_of_itself(tmp_path):
    with engine({WHERE: [record("R-1", 1)]}, EXPORTS) as e:
        for format in FILES:
            report = bulk.export(
                e, "criminal", tmp_path / format, RecordsRequest(owner="DOJ-FBI"), format=format
            )
            assert report.records == 0
            assert bulk.enrol(e, "criminal", tmp_path / format).read == 0
        bulk.export(e, WHERE, tmp_path / "out", OWNER)
        said = json.loads((tmp_path / "out" / "export.json").read_text())
        assert (said["partition"], said["asked_by"], said["records"]) == (WHERE, "DHS", 1)
        assert said["policy_digest"] == e.policy.digest


@pytest.mark.parametrize(
    "wrong", [{"format": "docx"}, {"page": 0}, {"page": True}, {"progress": 1}], ids=str
)
def test_values_that_cannot_be_used(tmp_path, wrong):
    with engine({WHERE: [record("R-1", 1)]}, EXPORTS) as e, pytest.raises(InputError):
        bulk.export(e, WHERE, tmp_path / "out", OWNER, **wrong)
    with pytest.raises(InputError):
        bulk.export(None, WHERE, tmp_path / "out", OWNER)
