"""Finger image records: every sample, round trips, damage; pictures out of containers."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import format_cases as cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fpmatch import formats
from fpmatch.errors import FormatError, ImageError, InputError, ResolutionError
from fpmatch.formats.coded import coded_size, coding
from fpmatch.types import FingerPosition, Impression

FINGERS = {
    "Right_Thumb": 1, "Right_Index": 2, "Right_Middle": 3, "Right_Ring": 4, "Right_Little": 5,
    "Left_Thumb": 6, "Left_Index": 7, "Left_Middle": 8, "Left_Ring": 9, "Left_Little": 10,
    "UKNOWN": 0, "info_left": 0,
}  # fmt: skip
NOT_RECORDS = {"test__BiometricInfo__Finger__info_encyrpted.iso"}


@pytest.fixture
def samples(data: Path) -> Path:
    return data / "formats" / "fir"


def expected(name: str) -> tuple[str, str, int, int, int]:
    """Edition, coding, compression code, position, certification blocks: as the names say."""
    position = next(code for part, code in FINGERS.items() if part in name)
    if "FingerPrint" in name:
        return "fir2005", "JPEG2000", 4, position, 0
    if "wsq" in name:
        return "fir2011", "WSQ", 2, position, 0
    if "Registration" in name:
        return "fir2011", "JPEG2000", 5, position, 2
    return "fir2011", "JPEG2000", 4, position, 0


def test_every_sample(samples: Path) -> None:
    paths = [p for p in samples.rglob("*") if p.is_file()]
    assert len(paths) == 57
    for path in paths:
        data = path.read_bytes()
        if path.parent.name == "imagedecoder" or path.name in NOT_RECORDS:
            assert formats.recognise(data) is None, path
            with pytest.raises(FormatError, match="no known format"):
                formats.read(data)
            continue
        edition, coded, code, position, blocks = expected(path.name)
        record = formats.read(data, strict=True)
        assert record.format == edition, path
        (view,) = record.views
        (picture,) = formats.pictures_of(record)
        assert (view.compression, view.position, len(view.certifications)) == (
            code, position, blocks,
        ), path  # fmt: skip
        assert (picture.coding, picture.finger) == (coded, position), path
        assert picture.coded_size == (view.width, view.height), path
        assert picture.ppi == (500, 500), path
        assert formats.write(record) == data, path
        assert formats.templates_of(record) == []
        image = picture.read()
        # The registration pictures state 1000 ppi inside: the record wins.
        assert (image.original_ppi, image.resampled) == (500, False), path
        assert image.original_shape == (view.height, view.width), path


def test_the_encrypted_sample_is_no_image_either(samples: Path) -> None:
    from fpmatch import read_image

    with pytest.raises(ImageError):
        read_image(samples / "bio-utils" / next(iter(NOT_RECORDS)))


@given(st.sampled_from(["fir2005", "fir2011"]), st.integers(0, 2**32), st.integers(1, 4))
@settings(deadline=None, max_examples=30)
def test_records_come_back_whole(name: str, seed: int, views: int) -> None:
    record = cases.image_record(name, seed, views)
    data = formats.write(record)
    assert formats.recognise(data) == name
    back = formats.read(data, strict=True)
    assert back == record
    assert formats.write(back) == data
    for shown, view in zip(formats.pictures_of(back), record.views, strict=True):
        image = shown.read()
        assert image.original_ppi == 500
        assert image.pixels.tobytes() == view.data


@pytest.mark.parametrize("name", ["fir2005", "fir2011"])
def test_cut_anywhere_is_refused(name: str) -> None:
    record = cases.image_record(name, views=1)
    record = replace(record, views=(replace(record.views[0], data=bytes(64), width=8, height=8),))
    data = formats.write(record)
    assert formats.read(data) == record
    for size in range(len(data)):
        with pytest.raises(FormatError) as cut:
            formats.read(data[:size], name)
        assert cut.value.at is not None


def two_of_each(count: int) -> tuple[formats.FingerImageRecord, bytes]:
    """Two fingers with two views each, of which the header counts so many."""
    record = cases.image_record("fir2005", views=4)
    views = tuple(
        replace(view, position=2 + n // 2, number=1 + n % 2, of=2)
        for n, view in enumerate(record.views)
    )
    record = replace(record, views=views)
    data = bytearray(formats.write(record))
    data[18] = count
    return record, bytes(data)


def test_a_header_that_counts_fingers_hides_no_image() -> None:
    """The edition of 2005 has views of fingers; what it counts is read both ways by others."""
    record, data = two_of_each(4)
    assert formats.read(data, strict=True) == record
    record, data = two_of_each(2)
    back = formats.read(data)
    assert back == record
    assert {note.at for note in back.deviations} == {18}
    # What follows and is no image stays what it was: bytes that nobody reads.
    last = len(record.views[-1].data)
    cut = formats.read(data[:-last] + bytes(last), "fir2005")
    assert len(cut.views) == 4
    odd = formats.read(data[: -last - 14] + b"\xff" * (last + 14), "fir2005")
    assert len(odd.views) == 3


@pytest.mark.parametrize("name", ["fir2005", "fir2011"])
def test_deviations(name: str) -> None:
    record = cases.image_record(name)
    data = formats.write(record)
    longer = formats.read(data + b"\0\0")
    assert longer == record
    assert longer.deviations[0].at == len(data)
    other = bytearray(data)
    other[4:8] = b"999\0"
    assert formats.read(bytes(other)) == record
    small = replace(record, views=(replace(record.views[0], width=61), record.views[1]))
    back = formats.read(formats.write(small))
    assert "61x64 pixels need 3904 bytes, not 3840" in back.deviations[0].what
    with pytest.raises(FormatError, match="need 3904 bytes"):
        formats.pictures_of(back)[0].read()
    png = io.BytesIO()
    Image.fromarray(np.zeros((64, 60), np.uint8)).save(png, "PNG")
    coded = replace(record, views=tuple(replace(v, data=png.getvalue()) for v in record.views))
    back = formats.read(formats.write(coded))
    assert back.deviations[0].what == "compression 0 stated, found PNG"
    assert formats.pictures_of(back)[0].read().original_shape == (64, 60)
    wrong = tuple(replace(view, compression=2) for view in record.views)
    back = formats.read(formats.write(replace(record, views=wrong)))
    assert back.deviations[0].what == "compression 2 stated, found RAW"


def test_pictures_are_no_templates() -> None:
    import fpmatch as fp

    data = formats.write(cases.image_record("fir2005"))
    with pytest.raises(FormatError, match="no minutiae in the file, and 2 pictures"):
        fp.read_templates(data)


def test_damage_is_named_with_its_position() -> None:
    data = bytearray(formats.write(cases.image_record("fir2005")))
    data[19] = 3  # the scale units
    with pytest.raises(FormatError, match="scale units 3") as bad:
        formats.read(bytes(data))
    assert bad.value.at == 19
    data = bytearray(formats.write(cases.image_record("fir2005")))
    data[18] = 0
    with pytest.raises(FormatError, match="no images"):
        formats.read(bytes(data))
    data = bytearray(formats.write(cases.image_record("fir2011")))
    data[12:14] = b"\0\0"
    with pytest.raises(FormatError, match="no representations"):
        formats.read(bytes(data))


def test_between_editions() -> None:
    new = cases.image_record("fir2011", views=1)
    result = formats.convert(new, "fir2005")
    assert set(result.losses) == {
        "capture time", "certifications", "extended data", "capture device in full",
        "further qualities and who computed them",
    }  # fmt: skip
    back = formats.read(formats.write(result.content), strict=True)
    assert back.views[0].data == new.views[0].data
    old = cases.image_record("fir2005")
    there = formats.convert(old, "fir2011")
    assert there.losses == ()
    assert formats.convert(there.content, "fir2005").content == old
    for code, name in ((4, 4), (5, 6)):
        coded = replace(old, views=tuple(replace(v, compression=code) for v in old.views))
        newer = formats.convert(coded, "fir2011").content
        assert {view.compression for view in newer.views} == {name}
        assert formats.convert(newer, "fir2005").content == coded
    with pytest.raises(FormatError, match="not converted"):
        formats.convert(old, "iso2005")
    with pytest.raises(FormatError, match="no room"):
        formats.write(replace(new, format="fir2005"))
    said = formats.convert(
        old, "fir2011", position=FingerPosition.LEFT_THUMB, ppi=1000, size=(64, 60), view=1
    ).content
    (shown,) = formats.pictures_of(said)
    assert (shown.finger, shown.ppi) == (FingerPosition.LEFT_THUMB, (1000, 1000))
    assert (shown.width, shown.height) == (64, 60)
    mixed = replace(old, views=(old.views[0], replace(old.views[1], depth=16)))
    with pytest.raises(FormatError, match="one depth for all"):
        formats.write(mixed)
    with pytest.raises(FormatError, match="does not fit"):
        formats.write(replace(new, views=(replace(new.views[0], width=70_000),)))


def picture(**changes: object) -> formats.Picture:
    values: dict = {"data": bytes(64 * 60), "coding": "RAW", "width": 60, "height": 64}
    values |= {"ppi": (500.0, 500.0), "positions": (2,), "impression": 0}
    return formats.Picture(**(values | changes))


def test_which_finger() -> None:
    assert picture(positions=(0,)).finger is FingerPosition.UNKNOWN
    assert picture(positions=(11,)).finger is FingerPosition.RIGHT_THUMB
    assert picture(positions=(12,)).finger is FingerPosition.LEFT_THUMB
    for codes in ((13,), (15,), (19,), (25,), (2, 3)):
        assert picture(positions=codes).finger is None
    assert picture(impression=6).impression_type is Impression.LATENT
    assert picture(impression=24).impression_type is Impression.UNKNOWN


def test_which_resolution() -> None:
    assert picture().read().pixels.shape == (64, 60)
    assert picture(ppi=(197 * 2.54, 197 * 2.54)).read().original_ppi == 500
    double = picture(ppi=(394 * 2.54,) * 2, data=bytes(4 * 64 * 60), width=120, height=128)
    assert double.read().original_ppi == 1000
    assert double.read().pixels.shape == (64, 60)
    for stated in (None, (72.0, 72.0), (249.0, 500.0), (500.0, 1000.0)):
        with pytest.raises(ResolutionError, match="ppi="):
            picture(ppi=stated).read()
        assert picture(ppi=stated).read(ppi=500).original_ppi == 500
    with pytest.raises(FormatError, match="16 bits"):
        picture(depth=16, data=bytes(2 * 64 * 60)).read()
    with pytest.raises(InputError):
        picture(data=b"", width=0, height=0).read()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "JPEG2000", "WSQ"])
def test_the_size_in_coded_pictures(format: str) -> None:
    if format == "WSQ":
        import wsq  # noqa: F401
    pixels = np.random.default_rng(0).integers(0, 256, (72, 96), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format)
    data = out.getvalue()
    assert coding(data) == format
    assert coded_size(data) == (96, 72)
    for size in range(len(data)):
        assert coded_size(data[:size]) in (None, (96, 72))
    assert coding(data[1:]) is None
    assert coded_size(b"") is None


def test_commands_take_a_record_with_one_finger(samples: Path, tmp_path: Path) -> None:
    from fpmatch.cli.inputs import load_template

    path = next((samples / "mockmds").glob("*Auth__0001Left_Ring.iso"))
    template = load_template(path)
    assert template.position is FingerPosition.LEFT_RING
    assert len(template) > 20
    two = tmp_path / "two"
    two.write_bytes(formats.write(cases.image_record("fir2011")))
    with pytest.raises(InputError, match="holds 2 impressions"):
        load_template(two)
    slap = replace(cases.image_record("fir2011", views=1))
    slap = replace(slap, views=(replace(slap.views[0], position=13),))
    two.write_bytes(formats.write(slap))
    with pytest.raises(InputError, match="no single finger"):
        load_template(two)
