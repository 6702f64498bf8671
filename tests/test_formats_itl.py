"""Transactions of ANSI/NIST-ITL: every sample, byte for byte; pictures, minutiae, damage."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import format_cases as cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fpmatch as fp
from fpmatch import formats
from fpmatch.errors import FormatError, ResolutionError
from fpmatch.types import FingerPosition, Impression

CARD = [(code, code, "NONLIVE_ROLLED", 500) for code in range(1, 11)]
CARD += [(14, None, "NONLIVE_PLAIN", 500), (12, 6, "NONLIVE_PLAIN", 500)]
CARD += [(11, 1, "NONLIVE_PLAIN", 500), (13, None, "NONLIVE_PLAIN", 500)]
PRINT = [(8, 8, "NONLIVE_ROLLED", 500)]
LATENT = [(8, 8, "LATENT", 500)]
SAMPLES = {
    # file: types after Type-1, deviations, pictures (position, finger, impression, ppi read at or
    # None where no credible one is stated), minutiae of each Type-9
    "NISTFile.ebts": ([2, 4], [], [(2, 2, "PLAIN", 500)], []),
    "NISTFile2.ebts": (
        [2, 4, 14, 10], [], [(2, 2, "PLAIN", 500), (13, None, "PLAIN", 500)], [],
    ),
    "type-13-14-latent-match.an2": ([2, 13, 14], [], LATENT + PRINT, []),
    "type-14-amp-nqm-utf8.an2": (
        [2, 14, 14, 14], [], [(code, None, "NONLIVE_PLAIN", 500) for code in (15, 13, 14)], [],
    ),
    "type-14-tpcard-nqm.an2": ([2, *[14] * 14], [], CARD, []),
    "type-4-14-slaps.an2": (
        [2, 4, 4, 14], [], [(code, None, "NONLIVE_PLAIN", 500) for code in (14, 13, 15)], [],
    ),
    "type-4-slaps.an2": ([2, 4, 4, 4, 4], [], CARD[10:], []),
    "type-4-tpcard.an2": ([2, *[4] * 14], [], CARD, []),
    "type-9-13-9-14-m1.an2": ([2, 9, 13, 9, 14], [], LATENT + PRINT, [48, 48]),
    "type-9-13-m1.an2": ([2, 9, 13], [], LATENT, [48]),
    "type-9-13-std.an2": ([2, 9, 13], [], LATENT, [48]),
    "type-9-14-m1.an2": ([2, 9, 14], [], PRINT, [48]),
    "type-9-14-std.an2": ([2, 9, 14], [], PRINT, [48]),
    "type-9-4-iafis.an2": ([2, 9, 4], [], PRINT, [48]),
    "valid1.1.an2": ([2, 4], [], [(10, 10, "PLAIN", 500)], []),
    "valid1.2.an2": ([2, 4, 6], [], [(10, 10, "PLAIN", 500)], []),
    "valid1.3.an2": ([2, 10], [], [], []),
    "valid1.4.an2": ([2, 13], [], [(20, None, "UNKNOWN", None)], []),
    "valid1.5.an2": ([2, 13], [305], [(19, None, "LATENT", 500)], []),
    "valid1.6.an2": ([2, 13], [306], [(20, None, "UNKNOWN", None)], []),
    "valid1.7.an2": ([2, 14], [321], [(19, None, "ROLLED", None)], []),
    "valid1.8.an2": (
        [2, 14, 14, 14], [317, 60693, 121542],
        [(code, None, "PLAIN", 500) for code in (13, 14, 15)], [],
    ),
    "valid1.9.an2": (
        [2, 4, 7, 8, 10, 14, 17], [], [(1, 1, "PLAIN", 500), (19, None, "PLAIN", None)], [],
    ),
    "valid1.10.an2": ([2, 17], [], [], []),
    "valid1.11.an2": (
        [2, 4, 10, 13, 14, 15, 16, 17, 99], [15211, 99523, 160102, 298506],
        [(10, 10, "PLAIN", 500), (20, None, "UNKNOWN", None), (13, None, "PLAIN", 500)], [],
    ),
    "valid1.13.an2": ([2, 99], [], [], []),
    "valid1.14.an2": ([2, 4, 9], [], [(1, 1, "PLAIN", 500)], [1]),
    "valid1.15.an2": ([2, 9], [], [], None),  # of a palm, and the minutia has a digit too many
    "valid1.16.an2": (
        [2, 4, 10, 13, 14, 15, 16, 17, 99], [15222, 99564, 160141, 298545],
        [(10, 10, "PLAIN", 500), (0, 0, "UNKNOWN", None), (13, None, "PLAIN", 500)], [],
    ),
}  # fmt: skip


@pytest.fixture
def samples(data: Path) -> Path:
    return data / "formats" / "nist_itl"


transaction = cases.transaction


def test_the_table_names_every_file(samples: Path) -> None:
    assert {path.name for path in samples.iterdir()} == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_sample(samples: Path, name: str) -> None:
    types, deviations, shown, minutiae = SAMPLES[name]
    data = (samples / name).read_bytes()
    transaction = formats.read(data)
    assert formats.recognise(data) == "itl" == transaction.format
    assert [record.type for record in transaction.records] == [1, *types]
    assert [deviation.at for deviation in transaction.deviations] == deviations
    assert formats.write(transaction) == data
    found = formats.pictures_of(transaction)
    assert [
        (p.positions[0], p.finger, p.impression_type.name, _credible(p)) for p in found
    ] == shown
    if minutiae is None:
        with pytest.raises(FormatError, match=r"minutia 1 of field 9\.12 is malformed") as bad:
            formats.templates_of(transaction, position=FingerPosition.UNKNOWN)
        assert formats.templates_of(transaction) == []
        assert bad.value.at == data.index(b"9.12:")
    else:
        assert [len(template) for template in formats.templates_of(transaction)] == minutiae
    if deviations:
        with pytest.raises(FormatError):
            formats.read(data, strict=True)


def _credible(picture: formats.Picture) -> int | None:
    assert len(picture.positions) == 1
    if picture.width * picture.height > 300_000:  # large ones: one of them is enough below
        stated = picture.ppi[0] if picture.ppi else 0
        return 500 if stated > 490 else None
    try:
        return round(picture.read().original_ppi)
    except ResolutionError:
        return None


def test_a_picture_whose_size_is_not_the_stated_one_is_read_as_it_is(samples: Path) -> None:
    transaction = formats.read(samples / "valid1.8.an2")
    assert [d.what for d in transaction.deviations] == [
        "the record states 1800x1000 pixels, the picture has 1600x976",
        "the record states 1800x1000 pixels, the picture has 1600x976",
        "the record states 1800x900 pixels, the picture has 1600x800",
    ]
    image = formats.pictures_of(transaction)[2].read()
    assert image.original_shape == (800, 1600)


def test_an_incredible_resolution_is_refused_unless_the_caller_says(samples: Path) -> None:
    picture = formats.pictures_of(formats.read(samples / "valid1.7.an2"))[0]
    with pytest.raises(ResolutionError, match=r"96 x 96 ppi; under 250 .* ppi="):
        picture.read()
    assert picture.read(ppi=500).original_shape == (336, 388)
    unknown = formats.pictures_of(formats.read(samples / "valid1.6.an2"))[0]
    with pytest.raises(ResolutionError, match="no resolution"):
        unknown.read()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_field_is_what_nistitl_reads(samples: Path, name: str) -> None:
    nistitl = pytest.importorskip("nistitl")
    data = (samples / name).read_bytes()
    oracle = nistitl.Message()
    oracle.parse(data)
    ours = formats.read(data).records
    assert len(oracle) == len(ours)
    for theirs, record in zip(oracle, ours, strict=True):
        assert theirs.type == record.type
        if isinstance(record, formats.BinaryRecord):
            assert theirs.value == record.data[5:]
            assert int(theirs.IDC) == int(record.idc)
            continue
        found = {f.tag: f.NIST.split(b":", 1)[1] for f in theirs._fields}
        for field in record.fields[1:]:
            if field.number == (3 if record.type == 1 else 2):
                assert _numbers(found[field.number]) == _numbers(field.value)
            elif field.number != 999:
                assert found[field.number] == field.value
        if record.picture is not None:
            # Of several fields 999 it takes all from the first on for the picture.
            assert found[999].endswith(record.picture.value)


def _numbers(value: bytes) -> list[int]:
    """The oracle drops leading zeros of the numbers that records go by."""
    return [int(digits) for digits in re.findall(rb"[0-9]+", value)]


def test_text_that_is_not_ascii(samples: Path) -> None:
    transaction = formats.read(samples / "type-14-amp-nqm-utf8.an2")
    assert transaction.header.get(15).items == ((b"003", b"UTF-8", b"4.0"),)
    text = transaction.records[1].text(3)
    assert text.startswith("two chinese characters: ")
    assert all("\u4e00" <= letter <= "\u9fff" for letter in text.split(": ")[1].strip())
    assert formats.Field(3, b"caf\xe9", b"2.003").text == "café"


def test_the_three_kinds_of_type_9_say_the_same(samples: Path) -> None:
    m1, standard, fbi = (
        formats.read_templates(samples / f"type-9-{name}.an2")[0]
        for name in ("14-m1", "14-std", "4-iafis")
    )
    for other in (standard, fbi):
        assert (other.width, other.height) == (800, 768)
        assert other.position is FingerPosition.LEFT_MIDDLE
        assert other.impression is Impression.NONLIVE_ROLLED
        assert np.abs(other.xy.astype(int) - m1.xy).max() <= 12  # a pixel and a half
        turn = (other.angle.astype(int) - m1.angle + 32768) % 65536 - 32768
        assert np.abs(turn).max() <= 200  # a degree
    assert fp.compare(standard, m1).value > 100


def test_type_9_agrees_with_our_extraction(samples: Path) -> None:
    transaction = formats.read(samples / "type-9-14-std.an2")
    (template,) = formats.templates_of(transaction)
    own = fp.extract(formats.pictures_of(transaction)[0].read())
    apart = np.linalg.norm(template.xy[:, None] / 8 - own.xy[None] / 8, axis=2)
    assert (apart.min(1) < 10).all()
    turn = (template.angle.astype(int) - own.angle[apart.argmin(1)] + 32768) % 65536 - 32768
    close = np.abs(turn) < 65536 * 15 / 360
    assert close.mean() > 0.95  # one of 48 may be another extractor's opinion of a minutia
    assert np.abs(turn).max() < 65536 * 45 / 360


def test_a_type_9_record_converts(samples: Path) -> None:
    transaction = formats.read(samples / "type-9-13-m1.an2")
    result = formats.convert(transaction, "iso2005")
    (back,) = formats.read_templates(formats.write(result.content))
    assert len(back) == 48
    with pytest.raises(FormatError, match=r"nothing is converted to 'itl': iso2005, .*xyt-m1$"):
        formats.convert(cases.template(), "itl")


def test_what_can_be_converted_to_is_what_the_command_names() -> None:
    one = cases.template()
    for name in formats.TARGETS:
        if name in ("fir2005", "fir2011"):
            assert formats.convert(cases.image_record("fir2011"), name).content
        elif name == "cbeff":
            assert formats.convert(cases.record("iso2005"), name).content
        else:
            assert formats.convert(one, name).content
    assert set(formats.NAMES) - set(formats.TARGETS) == {"itl"}


def test_what_we_write_is_read_by_nistitl() -> None:
    nistitl = pytest.importorskip("nistitl")
    data = formats.write(transaction())
    message = nistitl.Message()
    message.parse(data)
    assert [record.type for record in message] == [1, 2, 4, 14, 9]
    back = formats.read(data, strict=True)
    assert back.header.get(3).value == b"1\x1f4\x1e2\x1f00\x1e4\x1f01\x1e14\x1f02\x1e9\x1f03"
    assert _numbers(message.CNT.NIST) == [1, 3, *_numbers(back.header.get(3).value)]
    assert formats.write(back) == data
    assert [p.finger for p in formats.pictures_of(back)] == [2, 3]
    assert formats.pictures_of(back)[0].read().pixels[1, 0] == 0
    (template,) = formats.templates_of(back)
    assert template.position is FingerPosition.RIGHT_RING
    assert template.kind.tolist() == [1, 2]
    assert template.quality.tolist() == [100, 0]
    np.testing.assert_allclose(template.xy[:, 0] / 8, [19.685, 29.528], atol=0.1)
    assert template.angle.tolist() == [24576, 57344]  # 45 and 225 degrees, turned about


def test_records_can_be_taken_out_and_put_in() -> None:
    whole = formats.read(formats.write(transaction()))
    less = replace(whole, records=(*whole.records[:2], *whole.records[3:]))
    back = formats.read(formats.write(less), strict=True)
    assert back.header.get(3).value == b"1\x1f3\x1e2\x1f00\x1e14\x1f02\x1e9\x1f03"
    assert back.records[1:] == less.records[1:]


@pytest.mark.parametrize("long", [5, 79, 80, 81, 880, 979, 9990, 99_990])
def test_a_length_counts_its_own_digits(long: int) -> None:
    second = formats.tagged(2, {2: "00", 3: "x" * long})
    made = formats.Transaction((transaction().header, second))
    data = formats.write(made)
    back = formats.read(data, strict=True)
    assert int(back.records[1].fields[0].value) == len(data) - data.index(b"2.001:")


def test_short_tags_and_padded_lengths_are_kept() -> None:
    data = formats.write(transaction())
    first = formats.read(data).records[0]
    rest = b"\x1d".join(b"1.%02d:" % f.number + f.value for f in first.fields[1:]) + b"\x1c"
    old = b"1.01:%04d\x1d" % (10 + len(rest)) + rest
    again = old + data[int(first.fields[0].value) :]
    back = formats.read(again, strict=True)
    assert formats.write(back) == again
    assert back.header.text(8) == "XX0010200"


@pytest.mark.parametrize("version", ["0200", "0201", "0300", "0400", "0500", "0501", "0502"])
def test_versions(version: str) -> None:
    assert formats.read(formats.write(transaction(version)), strict=True).header.text(2) == version
    odd = formats.write(transaction("0999"))
    assert formats.read(odd).deviations[0].at == odd.index(b"1.002")


def test_a_file_cut_anywhere_is_refused_with_a_position() -> None:
    data = formats.write(transaction())
    for size in range(len(data)):
        with pytest.raises(FormatError) as cut:
            formats.read(data[:size], "itl")
        assert cut.value.at is not None


def damaged(old: bytes, new: bytes) -> bytes:
    data = formats.write(transaction())
    assert old in data
    return data.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "what", "at"),
    [
        (b"1.002:", b"2.002:", "no tag of a Type-1", b"2.002:"),
        (b"1.003:", b"1:003.", "no tag of a Type-1", b"1:003."),
        (b"1.003:", b"1.013:", r"no 1\.003", None),
        (b"1.003:1", b"1.003:2", "begin with the Type-1", b"1.003:"),
        (b"\x1e2\x1f00", b"\x1e2\x1fxx", "pairs", b"1.003:"),
        (b"\x1e4\x1f01", b"\x1e5\x1f01", None, None),
        (b"\x1e4\x1f01", b"\x1e2\x1f01", "no Type-2 record begins", b"\0\0\x10\x12"),
        (b"\x1e14\x1f02", b"\x1e13\x1f02", "no Type-13 record begins", b"14.001:"),
        (b"2.001:4", b"2.001:9", "does not end here with FS", None),
        (b"2.001:4", b"2.001:0", "does not end here with FS", None),
        (b"14.001:", b"14.001:9", "is cut", b"14.001:"),
        (b"\0\0\x10\x12", b"\0\1\x10\x12", "is cut", b"\0\1\x10\x12"),
        (b"\0\0\x10\x12", b"\0\0\0\x03", "too short", b"\0\0\0\x03"),
        (b"XX0010300", b"XX\x1c010300", "FS inside", b"\x1c010300"),
    ],
)
def test_damage_is_named_with_its_position(
    old: bytes, new: bytes, what: str | None, at: bytes | None
) -> None:
    data = damaged(old, new)
    if what is None:
        assert formats.read(data).records[2].type == 5  # the same header: nothing to see
        return
    with pytest.raises(FormatError, match=what) as bad:
        formats.read(data, "itl")
    if at is not None:
        assert bad.value.at == data.index(at)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b"1.003:1\x1f4", b"1.003:1\x1f5", "counts 5 records and lists 4"),
        (b"\x1e4\x1f01", b"\x1e4\x1f07", "lists this Type-4 record as 7"),
        (b"14.006:64", b"14.006:65", "65x64 pixels need 4160 bytes, not 4096"),
        (b"14.006:64", b"14.006:6x", "no whole number"),
        (b"14.012:8", b"14.012:9", "need 4608 bytes"),
    ],
)
def test_small_damage_is_a_deviation(old: bytes, new: bytes, what: str) -> None:
    data = damaged(old, new)
    back = formats.read(data)
    assert what in back.deviations[0].what
    assert formats.write(back) == data
    with pytest.raises(FormatError):
        formats.read(data, strict=True)


def test_bytes_after_the_last_record_are_kept_and_reported() -> None:
    data = formats.write(transaction()) + b"\r\n"
    back = formats.read(data)
    assert back.deviations[0].at == len(data) - 2
    assert formats.write(back) == data


@pytest.mark.parametrize(
    "items",
    [
        b"001\x1f0100020004\x1f02\x1fA",
        b"001\x1f01000200045",
        b"",
        b"\x1e",
        b"a\x1fb\x1fc\x1fd",
    ],
)
def test_malformed_minutiae(items: bytes) -> None:
    records = transaction().records
    nine = formats.tagged(9, {2: "03", 3: "1", 12: items})
    bad = formats.read(formats.write(formats.Transaction((*records[:-1], nine))))
    with pytest.raises(FormatError, match="malformed"):
        formats.templates_of(bad)


STANDARD = "001\x1f01000200045\x1f02\x1fA\x1e002\x1f03000400090\x1f02\x1fB"
M1 = "1\x1f100\x1f200\x1f45\x1f1\x1f60"
SIZED = {128: "400", 129: "500", 131: "500", 132: "500"}


def nine(fields: dict[int, str]) -> formats.Transaction:
    records = transaction().records
    made = formats.tagged(9, {2: "03", 3: "1", **dict(sorted(fields.items()))})
    return formats.read(formats.write(formats.Transaction((*records[:-1], made))))


@pytest.mark.parametrize(
    ("said", "position"),
    [
        ("2", FingerPosition.RIGHT_INDEX),
        ("0", FingerPosition.UNKNOWN),
        ("11", FingerPosition.RIGHT_THUMB),
        ("12", FingerPosition.LEFT_THUMB),
        ("1\x1e11", FingerPosition.RIGHT_THUMB),
        ("2\x1e3\x1e7", FingerPosition.UNKNOWN),
        ("2\x1f3", FingerPosition.UNKNOWN),
    ],
)
@pytest.mark.parametrize(
    "rest", [{6: "", 12: STANDARD}, {14: "", 23: STANDARD}, {134: "", 130: "1", 137: M1, **SIZED}]
)
def test_minutiae_may_be_of_any_of_several_fingers(rest, said, position) -> None:
    fields = {number: value or said for number, value in rest.items()}
    (template,) = formats.templates_of(nine(fields))
    assert template.position is position


@pytest.mark.parametrize("said", ["13", "14", "15", "16", "19", "25", "2\x1e25"])
@pytest.mark.parametrize(
    "rest", [{6: "", 12: STANDARD}, {14: "", 23: STANDARD}, {134: "", 130: "1", 137: M1, **SIZED}]
)
def test_minutiae_of_palms_and_slaps_are_of_no_finger(rest, said) -> None:
    """A palm would be searched, and enrolled, as a finger that may be any."""
    from fpmatch.formats import ebts

    content = nine({number: value or said for number, value in rest.items()})
    assert formats.templates_of(content) == []
    found, passed_over = ebts.fingers_of(content)
    assert not any(len(one) <= 2 for one in found)
    assert any("is no single finger" in why for why in passed_over)
    (named,) = formats.templates_of(content, position=FingerPosition.LEFT_RING)
    assert named.position is FingerPosition.LEFT_RING


def test_a_picture_of_two_fingers_is_of_neither_however_they_are_parted() -> None:
    for said in ("2\x1e3", "2\x1f3"):
        records = list(transaction().records)
        at = next(n for n, one in enumerate(records) if one.type == 14)
        fields = {f.number: f.value for f in records[at].fields[1:]} | {13: said}
        picture = fields.pop(999)
        records[at] = formats.tagged(14, {**dict(sorted(fields.items())), 999: picture})
        back = formats.read(formats.write(formats.Transaction(tuple(records))))
        shown = next(p for p in formats.pictures_of(back) if p.positions == (2, 3))
        assert shown.finger is None


@pytest.mark.parametrize("unit", [None, "0", "3"])
def test_m1_minutiae_without_a_unit_have_no_resolution(unit: str | None) -> None:
    """500 of it would else be 500 pixels a centimetre, which are credible and wrong."""
    content = nine({134: "2", 137: M1, **SIZED} | ({} if unit is None else {130: unit}))
    with pytest.raises(ResolutionError):
        formats.templates_of(content)
    (template,) = formats.templates_of(content, ppi=500)
    assert template.xy.tolist() == [[800, 1600]]
    (stated,) = formats.templates_of(nine({130: "1", 134: "2", 137: M1, **SIZED}))
    assert stated.xy.tolist() == [[800, 1600]]


def test_what_cannot_be_written_is_refused() -> None:
    made = transaction()
    with pytest.raises(FormatError, match="Type-1"):
        formats.write(replace(made, records=made.records[1:]))
    with pytest.raises(FormatError, match="cannot be written"):
        formats.tagged(2, {3: "a\x1db"})
    with pytest.raises(FormatError, match="cannot be written"):
        formats.tagged(2, {1: "5"})
    lacking = replace(made, records=(*made.records, formats.tagged(2, {3: "x"})))
    with pytest.raises(FormatError, match="no number"):
        formats.write(lacking)


words = st.binary(max_size=30).filter(lambda raw: b"\x1c" not in raw and b"\x1d" not in raw)


@given(
    st.lists(st.tuples(st.integers(3, 998), words), max_size=8),
    st.binary(max_size=200),
    st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_any_fields_come_back(values: list, picture: bytes, short: bool) -> None:
    last = {} if short else {999: picture}
    record = formats.tagged(14, {2: "01", **dict(values), **last})
    made = formats.Transaction((transaction().header, record))
    data = formats.write(made)
    back = formats.read(data)
    assert back.records[1].fields[1:] == record.fields[1:]
    assert formats.write(back) == data


def test_plain_thumbs_find_their_rolled_prints_on_a_card(samples: Path) -> None:
    shown = formats.pictures_of(formats.read(samples / "type-4-tpcard.an2"))
    fingers = [(p.positions[0], fp.extract(p.read(), position=p.finger)) for p in shown if p.finger]
    rolled = {code: template for code, template in fingers if code <= 10}
    assert sorted(rolled) == list(range(1, 11))
    for code, plain in fingers:
        if code > 10:
            # Positions are not looked at by a comparison of two templates.
            scores = {finger: fp.compare(plain, other).value for finger, other in rolled.items()}
            assert max(scores, key=scores.__getitem__) == plain.position
            assert scores[plain.position] > 40
