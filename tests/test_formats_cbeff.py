"""CBEFF files: what is read, what is refused, what comes back the same."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import abis_cases as cases
import format_cases
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpmatch import formats
from fpmatch.errors import FormatError
from fpmatch.formats import cbeff
from fpmatch.parameters import FORMATS
from fpmatch.types import FingerPosition

SPACE = 'xmlns="http://standards.iso.org/iso-iec/19785/-3/ed-2/"'
FIR = formats.write(format_cases.image_record("fir2011", views=1))  # position 2
UNKNOWN = formats.write(
    dataclasses.replace(
        one := format_cases.image_record("fir2011", views=1),
        views=(dataclasses.replace(one.views[0], position=0),),
    )
)


def xml(inner: str, head: str = '<?xml version="1.0"?>') -> bytes:
    info = "<BIRInfo><Integrity>false</Integrity></BIRInfo>"
    return f"{head}<BIR {SPACE}>{info}{inner}</BIR>".encode()


def bir(data: bytes, *words: str, kind: str = "Finger", **more: object) -> formats.Bir:
    return formats.Bir(data, about=formats.BdbInfo(types=(kind,), subtypes=words, **more))


def held(*birs: formats.Bir) -> cbeff.Fingers:
    return cbeff.fingers(formats.BiometricRecord(formats.Bir(records=birs)))


words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8)
names = words.filter(bool)
registered = st.none() | st.builds(formats.RegistryId, words, words)
quality = st.none() | st.builds(formats.Quality, registered, st.none() | st.integers(0, 100), words)
abouts = st.builds(
    formats.BdbInfo, challenge=st.binary(max_size=4), index=words, format=registered,
    encrypted=st.sampled_from([None, True, False]), created=words, not_before=words,
    not_after=words, types=st.lists(names, max_size=2).map(tuple),
    subtypes=st.lists(names, max_size=3).map(tuple), level=words, product=registered,
    device=registered, extraction=registered, comparison=registered, compression=registered,
    purpose=words, quality=quality,
)  # fmt: skip
infos = st.builds(
    formats.BirInfo, words, words, st.binary(max_size=4), st.sampled_from([None, True, False]),
    words, words, words,
)  # fmt: skip
versions = st.none() | st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
leaves = st.builds(
    formats.Bir, st.binary(max_size=20), versions, versions, infos, st.none() | abouts, registered,
    st.binary(max_size=4), st.lists(st.tuples(names, words), max_size=2).map(tuple),
)  # fmt: skip
birs = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda one, more: dataclasses.replace(one, records=tuple(more)),
        leaves,
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60)
@given(birs)
def test_what_is_written_is_read_again(made: formats.Bir) -> None:
    record = formats.BiometricRecord(made)
    data = formats.write(record)
    assert formats.recognise(data) == "cbeff"
    assert formats.read(data) == record
    assert formats.write(formats.read(data)) == data


def test_a_file_as_mosip_writes_it() -> None:
    """The elements and words of the specification's own example, with a record in it."""
    block = formats.write(format_cases.image_record("fir2005", views=1))
    data = formats.write(formats.BiometricRecord(formats.Bir(records=(bir(block),))))
    inner = re.search(rb"<BDB>(.*)</BDB>", data)
    assert inner is not None
    text = f"""
    <!-- right index finger -->
    <BIR>
        <Version><Major>1</Major><Minor>1</Minor></Version>
        <CBEFFVersion><Major>1</Major><Minor>1</Minor></CBEFFVersion>
        <BIRInfo><Integrity>false</Integrity></BIRInfo>
        <BDBInfo>
            <Format><Organization>Mosip</Organization><Type>7</Type></Format>
            <CreationDate>2019-06-27T13:40:06.209Z</CreationDate>
            <Type>Finger</Type>
            <Subtype>Right IndexFinger</Subtype>
            <Level>Raw</Level>
            <Purpose>Enroll</Purpose>
            <Quality>
                <Algorithm><Organization>HMAC</Organization><Type>SHA-256</Type></Algorithm>
                <Score>100</Score>
            </Quality>
        </BDBInfo>
        <BDB>{inner[1].decode()}</BDB>
        <Others><Key>EXCEPTION</Key><Value>false</Value></Others>
    </BIR>"""
    record = formats.read(xml(text), strict=True)
    (one,) = record.blocks
    assert (one.version, one.cbeff_version) == ((1, 1), (1, 1))
    about = one.about
    assert about is not None
    assert (about.format, about.created) == (
        formats.RegistryId("Mosip", "7"),
        "2019-06-27T13:40:06.209Z",
    )
    assert (about.types, about.subtypes) == (("Finger",), ("Right", "IndexFinger"))
    assert about.quality == formats.Quality(formats.RegistryId("HMAC", "SHA-256"), 100)
    assert one.others == (("EXCEPTION", "false"),)
    (picture,) = formats.pictures_of(record)
    assert (picture.finger, picture.coding, picture.width) == (FingerPosition(2), "RAW", 60)


def test_both_alphabets_of_base64_and_no_padding_are_read() -> None:
    for text in ("+/v7", "-_v7", "-_v", "-_v=", " -_ \n v7 "):
        found = formats.read(xml(f"<BIR><BDB>{text}</BDB></BIR>")).bir.records[0].data
        assert found[:2] == b"\xfb\xfb"
    with pytest.raises(FormatError, match="mixes two alphabets"):
        formats.read(xml("<BDB>+_v7</BDB>"))
    for text in ("@", "AAAAA", "A", "AA=A", "\u00e4\u00e4"):
        with pytest.raises(FormatError, match=r"byte \d+: BDB is no base64"):
            formats.read(xml(f"<BDB>{text}</BDB>"))


HOSTILE = {
    "entities": b'<!DOCTYPE BIR [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><BIR>&b;</BIR>',
    "external": b'<!DOCTYPE BIR SYSTEM "file:///etc/passwd"><BIR/>',
    "external entity": b'<!DOCTYPE BIR [<!ENTITY x SYSTEM "file:///etc/passwd">]><BIR>&x;</BIR>',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_document_types_are_refused(name: str) -> None:
    assert formats.recognise(HOSTILE[name]) == "cbeff"
    with pytest.raises(FormatError, match="document type"):
        formats.read(HOSTILE[name])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<BIR>", "no element found"),
        (b"<BIR></BAR>", "mismatched tag"),
        (b"<BIR>&nothing;</BIR>", "undefined entity"),
        (b"<BIR/><BIR/>", "junk after"),
        (b"<BIR>" * 40, "nested over 32"),
        (xml("<x/>" * FORMATS.xml_elements), "over 65536 elements"),
        (xml("<BIR/>" * FORMATS.max_records), "over 1000 records"),
        (b'<?xml version="1.0" encoding="nope"?><BIR/>', "encoding"),
        (b'<?xml version="1.0" encoding="utf-7"?><BIR/>', "encoding"),
        (b'<BIR xmlns="urn:other"/>', "no BIR of ISO"),
        (xml("<BDB>AAAA</BDB><BDB>BBBB</BDB>"), "a second BDB"),
        (xml("<BDBInfo><Type>Iris</Type><Type>Finger</Type></BDBInfo>"), "a second Type"),
        (xml("<BDBInfo><Encryption>maybe</Encryption></BDBInfo>"), "neither true nor false"),
        (xml("<Version><Major>1</Major></Version>"), "without Major and Minor"),
        (xml("<Version><Major>1</Major><Minor>9999999999</Minor></Version>"), "too large"),
        (xml("<Version><Major>-1</Major><Minor>1</Minor></Version>"), "no version"),
    ],
)
def test_damage_is_refused_with_its_place(data: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=rf"byte \d+: .*{said}"):
        formats.read(data, "cbeff")


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ('<n:Test xmlns:n="testschema">Duplicate</n:Test>', "'Test' in BIR is passed over"),
        ("<BIR><BDBInfo/></BIR>", "a record without BIRInfo"),
        ("<BDBInfo><Type>IRIS</Type></BDBInfo>", "'IRIS' is no known type"),
        ("<BDBInfo><CreationDate>2020-03-16 12:18:01</CreationDate></BDBInfo>", "is no date"),
        ("<BDBInfo><Quality><Score>101</Score></Quality></BDBInfo>", "a quality of 101"),
        ("<BDBInfo><Level>Cooked</Level></BDBInfo>", "no value of the standard"),
        ("<BIRInfo/>", "a second BIRInfo in BIR is passed over"),
    ],
)  # fmt: skip
def test_deviations(inner: str, said: str) -> None:
    noted = [deviation.what for deviation in formats.read(xml(inner)).deviations]
    assert len(noted) == 1
    assert said in noted[0]
    with pytest.raises(FormatError):
        formats.read(xml(inner), strict=True)


def test_a_file_without_the_namespace_is_read_as_mosips_kit_writes_it() -> None:
    found = formats.read(b"<?xml version='1.0' ?>\n<BIR>\n<BIRInfo/>\n<BIR><BIRInfo/></BIR></BIR>")
    assert [d.what for d in found.deviations] == ["the elements are of no namespace"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str) -> None:
    text = xml("<BIR><BIRInfo><Creator>\u00e5</Creator></BIRInfo></BIR>", "").decode()
    data = text.encode(encoding)
    assert formats.recognise(data) == "cbeff"
    assert formats.read(data).bir.records[0].info.creator == "\u00e5"


@pytest.mark.parametrize(
    "data",
    [b"", b"<", b"<BIRD/>", b"<html><BIR/></html>", b"BIR", b"<!-- <BIR/> -->", b"<!--" * 9000],
)
def test_other_text_is_not_recognised(data: bytes) -> None:
    assert formats.recognise(data) is None


def test_many_comments_are_walked_over_once() -> None:
    head = b"<!---->" * 9000
    assert formats.recognise(head + b"<BIRD/>") is None
    assert formats.recognise(head + b"<BIR/>") == "cbeff"


SIDES = [
    (side, finger, FingerPosition(1 + i + 5 * (side == "Left")))
    for side in ("Right", "Left")
    for i, finger in enumerate(
        ("Thumb", "IndexFinger", "MiddleFinger", "RingFinger", "LittleFinger")
    )
]


@pytest.mark.parametrize(("side", "finger", "position"), SIDES)
def test_subtypes_name_fingers(side: str, finger: str, position: FingerPosition) -> None:
    for several in ((side, finger), (finger, side)):
        (picture,) = held(bir(UNKNOWN, *several)).pictures
        assert picture.finger is position
    made = formats.convert(formats.read(UNKNOWN), "cbeff", position=position).content.bir.records[0]
    assert made.about.subtypes == (side, finger)


@pytest.mark.parametrize(
    "several",
    [("Left",), ("IndexFinger",), ("Left", "Right"), ("Left", "Eye"), ("Thumb", "Thumb"),
     ("Right", "IndexFinger", "MiddleFinger"), ("right", "indexfinger")],
)  # fmt: skip
def test_half_a_name_is_no_finger(several: tuple[str, ...]) -> None:
    found = held(bir(UNKNOWN, *several))
    assert not found.pictures
    assert found.unreadable == 1
    assert "names no finger" in found.passed_over[0]


def test_a_block_that_says_another_finger_is_passed_over() -> None:
    found = held(bir(FIR, "Left", "IndexFinger"), bir(FIR, "Right", "IndexFinger"))
    assert [p.finger for p in found.pictures] == [FingerPosition.RIGHT_INDEX]
    assert "is that of position 7, the block says 2" in found.passed_over[0]
    assert held(bir(FIR, "UNKNOWN")).pictures[0].finger is FingerPosition.RIGHT_INDEX


def test_what_is_no_finger_is_passed_over_and_named() -> None:
    found = held(
        bir(b"x" * 9, "Left", kind="Iris"),
        bir(b"x" * 9, kind="Face"),
        bir(FIR, kind="Face"),
        bir(b"", "Left", "Thumb"),
        dataclasses.replace(bir(b"", "Left", "Thumb"), others=(("EXCEPTION", "true"),)),
        bir(FIR, "Right", "IndexFinger", encrypted=True),
        bir(b"\xff\xd8 a bare picture", "Right", "IndexFinger"),
        bir(FIR[:-50], "Right", "IndexFinger"),
        formats.Bir(b"no one says what this is"),
        formats.Bir(FIR),
        bir(FIR, "Right", "IndexFinger", kind="FINGER"),
    )
    assert len(found.pictures) == 2
    assert [why.partition(": ")[2][:26] for why in found.passed_over] == [
        "'Iris' is no finger",
        "'Face' is no finger",
        "'Face' is no finger",
        "no data",
        "the finger is missing, it ",
        "the block is encrypted",
        "the block is no finger ima",
        "byte 74: the file ends ins",
        "no type, and no record of ",
    ]
    assert found.unreadable == 3


def test_several_blocks_of_one_finger_are_several_impressions() -> None:
    found = held(*[bir(FIR, "Right", "IndexFinger")] * 3)
    assert [p.finger for p in found.pictures] == [FingerPosition.RIGHT_INDEX] * 3


def test_minutiae_in_a_file_become_templates() -> None:
    record = format_cases.record("iso2011")
    made = formats.convert(record, "cbeff")
    assert made.losses == ()
    data = formats.write(made.content)
    assert formats.read_templates(data) == formats.to_templates(record)
    assert formats.convert(formats.read(data), "xyt", view=1).content.format == "xyt"
    with pytest.raises(FormatError, match="iso2005 or iso2011"):
        formats.convert(format_cases.record("incits2004"), "cbeff")


@pytest.mark.parametrize("edition", ["fir2005", "fir2011"])
def test_images_go_into_a_file_and_out_again(edition: str) -> None:
    record = format_cases.image_record(edition)
    if edition == "fir2005":
        views = tuple(dataclasses.replace(view, of=1) for view in record.views)
        record = dataclasses.replace(record, views=views)
    wrapped = formats.convert(record, "cbeff").content
    again = formats.read(formats.write(wrapped))
    assert len(again.blocks) == 2
    back = formats.convert(again, edition)
    assert back.content == record
    assert back.losses == ("what the BIRs say beside their blocks",)
    with pytest.raises(FormatError, match="no minutiae"):
        formats.convert(again, "iso2011")


def test_what_no_file_can_say_is_not_written() -> None:
    slap = dataclasses.replace(
        one := format_cases.image_record("fir2011", views=1),
        views=(dataclasses.replace(one.views[0], position=13),),
    )
    with pytest.raises(FormatError, match="position 13 is no single finger"):
        formats.convert(slap, "cbeff")
    for wrong in (
        formats.Bir(info=formats.BirInfo(creator="a\x00b")),
        formats.Bir(info=formats.BirInfo(creator=" a")),
        formats.Bir(version=(1, -1)),
        bir(b"", "Right IndexFinger"),
        formats.Bir(records=(formats.Bir(),) * FORMATS.max_records),
    ):
        with pytest.raises(FormatError):
            formats.write(formats.BiometricRecord(wrong))
    deep = formats.Bir()
    for _ in range(FORMATS.xml_depth):
        deep = formats.Bir(records=(deep,))
    with pytest.raises(FormatError, match="too deep"):
        formats.write(formats.BiometricRecord(deep))


def test_markup_in_text_is_written_as_text() -> None:
    record = formats.BiometricRecord(formats.Bir(info=formats.BirInfo(creator="<a>&amp;\r]]>")))
    assert formats.read(formats.write(record)) == record


@pytest.mark.data
def test_real_records_of_ten_fingers(data: Path) -> None:
    """The ten finger image records of one hand pair, each under the name of its file."""
    folder = data / "formats" / "fir" / "bio-utils"
    files = sorted(folder.glob("*FingerPrint*.iso"))
    assert len(files) == 10
    made = []
    for path in files:
        side, finger = re.fullmatch(r".*FingerPrint(Left|Right)_(\w+)\.iso", path.name).groups()
        word = finger if finger == "Thumb" else f"{finger}Finger"
        made.append(bir(path.read_bytes(), side, word))
    record = formats.read(formats.write(formats.BiometricRecord(formats.Bir(records=tuple(made)))))
    found = cbeff.fingers(record)
    assert found.passed_over == ()
    assert sorted(p.finger for p in found.pictures) == list(FingerPosition)[1:]
    assert cases.INDEX in {p.finger for p in found.pictures}
