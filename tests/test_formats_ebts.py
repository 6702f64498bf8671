"""EBTS transactions as searches: whose mask, which fingers, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import format_cases as cases
import pytest

import fpmatch as fp
from fpmatch import formats
from fpmatch.errors import FormatError, InputError
from fpmatch.formats import ebts

BOOKED = {"NISTFile.ebts": [], "NISTFile2.ebts": [2, 3, 4, 5]}
"""The two that name a station, with the fingers that are cut from a slap."""
ORIGIN_MALFORMED = {"valid1.8.an2"}


def test_every_sample(data: Path) -> None:
    """Two name a booking station; twelve none; fifteen something that is no ORI."""
    counts = {"booked": 0, "absent": 0, "malformed": 0}
    for path in sorted((data / "formats" / "nist_itl").iterdir()):
        raw = path.read_bytes()
        transaction = formats.read(raw)
        if path.name in BOOKED:
            made = ebts.submission(transaction, extractor="classical")
            assert made.request.booking_ori == "DDNMI0039"
            assert made.request.chain == ("TEST00001",)
            assert (made.request.transaction, made.request.retain) == ("CAR", True)
            assert made.request.tcn == "TEST-20080528173758-SOFT-0001-1C629"
            assert (made.destination, made.priority) == ("TEST00001", 4)
            cut = BOOKED[path.name]
            assert [finger.position for finger in made.request.fingers] == [2, *cut]
            assert [finger.slap for finger in made.request.fingers] == [0] + [13] * len(cut)
            assert made.passed_over == ()
            counts["booked"] += 1
            continue
        with pytest.raises(FormatError) as refused:
            ebts.submission(transaction, stand_in="CS0010200")
        second = transaction.records[1]
        if second.get(73) is None:
            assert "nothing stands in for it" in str(refused.value), path
            assert refused.value.at == second.fields[0].at
            counts["absent"] += 1
        else:
            number = b"1.008:" if path.name in ORIGIN_MALFORMED else b"2.073:"
            assert "is no ORI" in str(refused.value), path
            assert refused.value.at == raw.index(number.replace(b"1.008", b"1.08"))
            counts["malformed"] += 1
    assert counts == {"booked": 2, "absent": 12, "malformed": 15}


def test_all_fields() -> None:
    second = {5: "Y", 7: "CS0010300ROUTING\x1eCS0010400", 73: "CS0010200\x1eCS0010500"}
    second |= {84: "3\x1fXX\x1e4\x1fUP", 98: "1\x1e9"}
    made = ebts.submission(cases.booking(second, kind="CNA", priority="2", answered="CTRL-00000"))
    request = made.request
    assert request.booking_ori == "CS0010200"
    assert request.chain == ("CS0010500", "CSSIR0000")
    assert request.copies_to == ("CS0010300", "CS0010400")
    assert request.partitions == (1, 9)
    assert request.retain
    assert (request.tcn, request.tcr, request.transaction) == ("CTRL-00001", "CTRL-00000", "CNA")
    assert (made.priority, made.destination, made.amputated) == (2, "DAI000000", (3, 4))
    (finger,) = request.fingers
    assert finger.position is fp.FingerPosition.RIGHT_RING
    plain = ebts.submission(cases.booking())
    assert plain.priority == 9
    assert not plain.request.retain
    assert plain.request.partitions is None
    assert plain.request.copies_to == ()


def test_an_agency_that_sends_for_itself_is_no_chain() -> None:
    assert ebts.submission(cases.booking(origin="CS0010200")).request.chain == ()


@pytest.mark.parametrize("kind", ["TPIS", "LFIS"])
def test_where_the_booking_station_is_optional_the_caller_says_who_stands_in(kind: str) -> None:
    transaction = cases.booking({5: "Y"}, kind=kind)
    with pytest.raises(FormatError, match="stand_in="):
        ebts.submission(transaction)
    made = ebts.submission(transaction, stand_in="CS0010900").request
    assert made.booking_ori == "CS0010900"
    assert not made.retain
    assert made.max_candidates == {"TPIS": 25, "LFIS": 99}[kind]
    with pytest.raises(InputError, match="no ORI"):
        ebts.submission(transaction, stand_in="state")
    named = cases.booking({73: "CS0010200"}, kind=kind)
    assert ebts.submission(named, stand_in="CS0010900").request.booking_ori == "CS0010200"
    malformed = cases.booking({73: "123456789"}, kind=kind)
    with pytest.raises(FormatError, match=r"2\.073"):
        ebts.submission(malformed, stand_in="CS0010900")


@pytest.mark.parametrize("kind", ["CAR", "CNA", "NFUF", "AMN", "RPIS"])
@pytest.mark.parametrize(
    "booking", [None, "", "\x1eCS0010200", "CS001020", "CS00102000", "cs0010200", " CS0010200"]
)
def test_nothing_stands_in_for_a_booking_station(kind: str, booking: str | None) -> None:
    second: dict = {98: "1"} if kind == "RPIS" else {}
    if booking is not None:
        second[73] = booking
    with pytest.raises(FormatError, match=r"2\.073"):
        ebts.submission(cases.booking(second, kind=kind), stand_in="CS0010900")


def test_a_second_field_cannot_name_another_station() -> None:
    made = cases.booking()
    second = made.records[1]
    other = replace(second.fields[-1], value=b"CS0099900")
    twice = replace(second, fields=(*second.fields, other))
    for records in ((twice,), (second, second)):
        doubled = replace(made, records=(made.records[0], *records, *made.records[2:]))
        back = formats.read(formats.write(doubled))
        with pytest.raises(FormatError, match=r"2\.073 stands 2 times|one record of Type-2, not 2"):
            ebts.submission(back)


@pytest.mark.parametrize(
    ("second", "header", "what"),
    [
        ({}, {"kind": "SRE"}, "'SRE' asks for no search"),
        ({}, {"kind": "X" * 500}, "asks for no search"),
        ({}, {"kind": ""}, r"1\.004 is mandatory"),
        ({}, {"origin": ""}, r"1\.008 is mandatory"),
        ({}, {"origin": "123456789"}, r"1\.008: .* is no ORI"),
        ({}, {"control": ""}, r"1\.009 is mandatory"),
        ({}, {"control": "x" * 41}, "up to 40"),
        ({}, {"control": "a\nb"}, "printable"),
        ({}, {"destination": ""}, r"1\.007 is mandatory"),
        ({}, {"answered": "x" * 41}, "up to 40"),
        ({}, {"priority": "0"}, r"1\.006"),
        ({}, {"priority": "12"}, r"1\.006"),
        ({5: "y"}, {}, r"2\.005"),
        ({7: "CS001"}, {}, r"2\.007: .* is no ORI"),
        ({7: "\x1e".join(["CS0010300"] * 10)}, {}, r"2\.007 has over 9"),
        ({73: "\x1e".join(["CS0010300"] * 4)}, {}, r"2\.073 has over 3"),
        ({73: "CS0010200\x1fCS0010300"}, {}, r"2\.073 has items within an occurrence"),
        ({7: "CS0010300\x1fCS0010400"}, {}, r"2\.007 has items within an occurrence"),
        ({98: "1\x1f9"}, {}, r"2\.098 has items within an occurrence"),
        ({84: "3"}, {}, r"2\.084"),
        ({84: "3\x1fZZ"}, {}, r"2\.084"),
        ({98: "all"}, {}, r"2\.098"),
        ({}, {"kind": "RPIS"}, r"2\.098 is mandatory"),
    ],
)
def test_malformed_fields_are_refused(second: dict, header: dict, what: str) -> None:
    full = {73: "CS0010200"} | second
    with pytest.raises(FormatError, match=what) as refused:
        ebts.submission(formats.read(formats.write(cases.booking(full, **header))))
    assert refused.value.at is not None
    assert len(str(refused.value)) < 200


def test_without_a_finger_nothing_is_searched() -> None:
    raw = {2: "01", 3: "1", 6: "64", 7: "64", 8: "1", 9: "96", 10: "96", 11: "NONE", 12: "8"}
    slap = formats.tagged(14, raw | {13: "14", 999: bytes(4096)})
    coarse = formats.tagged(14, raw | {2: "02", 13: "2", 999: bytes(4096)})
    palm = formats.tagged(14, raw | {2: "03", 13: "25", 999: bytes(4096)})
    with pytest.raises(FormatError, match=r"1: .* 96 x 96 ppi.*25 is no single finger"):
        ebts.submission(cases.booking(records=(slap, coarse, palm)))


def type_14(path: Path, position: int, number: int) -> formats.TaggedRecord:
    pixels = fp.read_image(path, ppi=500).pixels
    height, width = pixels.shape
    return formats.tagged(
        14,
        {2: f"{number:02d}", 3: "0", 6: str(width), 7: str(height), 8: "1", 9: "500", 10: "500"}
        | {11: "NONE", 12: "8", 13: str(position), 999: pixels.tobytes()},
    )


def test_a_transaction_is_searched_under_the_mask_of_its_booking_station(
    synthetic_data: Path, tmp_path: Path
) -> None:
    root = Path(__file__).resolve().parent.parent
    mate = fp.extract(
        fp.read_image(synthetic_data / "optical" / "1_1.png", ppi=500),
        position=fp.FingerPosition.RIGHT_INDEX,
        extractor="classical",
    )
    records = (type_14(synthetic_data / "optical" / "1_2.png", 2, 1),)
    data = formats.write(cases.booking(records=records))
    made = ebts.submission(formats.read(data, strict=True), extractor="classical")
    with fp.Engine.create(tmp_path / "county.fpm") as engine:
        engine.add_partition("criminal", ndr=1, owner="DOJ-FBI")
        engine.add_partition("immigration", ndr=9, owner="DHS")
        for partition in ("criminal", "immigration"):
            engine.enrol(partition, [fp.Record("C-17", [mate])])
        engine.publish(fp.Policy.load(root / "fpmatch" / "cli" / "demo_policy.toml"))
        response = engine.search(made.request)
        assert response["criminal"].candidates[0].record == "C-17"
        assert response["immigration"].outcome.name == "NOT_SEARCHED"
        only = {73: "CS0010200", 98: "9"}
        other = cases.booking(only, records=records, control="CTRL-00002")
        asked = ebts.submission(other, extractor="classical")
        narrow = engine.search(asked.request)
        assert narrow["immigration"].outcome.name == "NOT_SEARCHED"
        assert not narrow["criminal"].candidates


def test_the_command_searches_a_transaction_as_it_is(
    synthetic_data: Path, tmp_path: Path, fpm, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = Path(__file__).resolve().parent.parent
    mate = fp.extract(
        fp.read_image(synthetic_data / "optical" / "1_1.png", ppi=500), extractor="classical"
    )
    with fp.Engine.create(tmp_path / "county.fpm") as engine:
        engine.add_partition("criminal", ndr=1, owner="DOJ-FBI")
        engine.add_partition("immigration", ndr=9, owner="DHS")
        engine.enrol("criminal", [fp.Record("C-17", [mate])])
        engine.publish(fp.Policy.load(root / "fpmatch" / "cli" / "demo_policy.toml"))
    finger = type_14(synthetic_data / "optical" / "1_2.png", 2, 1)
    slap = type_14(synthetic_data / "optical" / "1_2.png", 13, 2)
    data = formats.write(cases.booking(records=(finger, slap)))
    (tmp_path / "in.an2").write_bytes(data + b"\n")
    (tmp_path / "state.an2").write_bytes(formats.write(cases.booking({}, records=(finger,))))
    (tmp_path / "images").write_bytes(formats.write(cases.image_record("fir2005")))

    def run(name: str) -> tuple[int, dict, str]:
        words = ["transaction", name, "--gallery", "county.fpm", "--extractor", "classical"]
        code, said, error = fpm(*words, "--json", "-")
        return code, json.loads(said or "{}"), error

    code, report, _ = run("in.an2")
    assert code == 0
    assert report["fingers"] == [2]
    (passed_over,) = report["passed_over"]
    assert passed_over.startswith("Type-14 2: 1 finger(s) found at (")
    assert passed_over.endswith("where position 13 shows 4; missing= says which are not there")
    assert report["deviations"][0]["at"] == len(data)
    sections = {s["partition"]: s for s in report["response"]["partitions"]}
    assert sections["criminal"]["candidates"][0]["record"] == "C-17"
    assert sections["immigration"]["outcome"] == "NOT_SEARCHED"
    for name, what in (("state.an2", "2.073"), ("images", "no transaction")):
        code, _, said = run(name)
        assert code == 2
        assert what in said
