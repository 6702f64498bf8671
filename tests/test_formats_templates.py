"""Minutiae records: every sample, round trips, conversions, damage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import format_cases as cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fpmatch as fp
from fpmatch import formats
from fpmatch.errors import FormatError, InputError, ResolutionError, TemplateError
from fpmatch.parameters import FORMATS

SAMPLES = {
    # file: format, minutiae of each view, where it deviates (byte offsets, in the order noted)
    "biomdi/ANSI-INCITS-378_2004/Appendix-B2_Example.raw": ("incits2004", [27, 22], []),
    "biomdi/ISO-19794-2_2005/Appendix-C2_Example.raw": ("iso2005", [27, 22], [8]),
    "fingerprintio/ansi378v2004/ansi378v2004-sample.dat": ("incits2004", [27, 22], [4, 194, 8]),
    "fingerprintio/ansi378v2009/ansi378v2009-sample.dat": ("incits2009", [27, 22], [8]),
    "fingerprintio/ansi378v2009am1/ansi378v2009am1-sample.dat": ("incits2009am1", [27, 22], []),
    "fingerprintio/iso19794p2v2005/iso19794p2v2005-sample.dat": ("iso2005", [27, 22], [330]),
    "fingerprintio/iso19794p2v2011/iso19794p2v2011-sample.dat": ("iso2011", [27, 22], []),
    "libbiomeval/fmr.ansi2004": ("incits2004", [27, 22, 28], [8, 1236]),
    "libbiomeval/fmr.ansi2007": ("incits2007", [27, 22], []),
    "libbiomeval/fmr.iso2005": ("iso2005", [27, 22], [328]),
    "sourceafis_java/iso-probe.dat": ("iso2005", [38], [263]),
    "sourceafis_java/iso-matching.dat": ("iso2005", [38], [263]),
    "sourceafis_java/iso-nonmatching.dat": ("iso2005", [39], [269]),
}
CUT = {
    "openafis_truncated/fvc2004/DB_1B/101_1_truncate_1_byte.iso": 28,
    "openafis_truncated/fvc2004/DB_1B/101_1_truncate_2_bytes.iso": 28,
    "openafis_truncated/fvc2004/DB_1B/101_1_truncate_3_bytes.iso": 27,
}


@pytest.fixture
def samples(data: Path) -> Path:
    return data / "formats" / "templates"


def test_the_table_names_every_file(samples: Path) -> None:
    files = {
        path.relative_to(samples).as_posix()
        for path in samples.rglob("*")
        if path.is_file() and path.suffix != ".json"
    }
    vendor = {name for name in files if name.startswith("fvc2002_DB1_B_iso/")}
    assert files - vendor == set(SAMPLES) | set(CUT)
    assert len(vendor) == 80


@pytest.mark.parametrize("name", SAMPLES)
def test_sample(samples: Path, name: str) -> None:
    format, minutiae, deviations = SAMPLES[name]
    data = (samples / name).read_bytes()
    record = formats.read(data)
    assert record.format == format == formats.recognise(data)
    assert [len(view) for view in record.views] == minutiae
    assert [deviation.at for deviation in record.deviations] == deviations
    written = formats.write(record)
    assert (written == data) is (not deviations)
    assert formats.read(written) == record
    assert len(formats.to_templates(record)) == len(minutiae)
    if deviations:
        with pytest.raises(FormatError) as refused:
            formats.read(data, strict=True)
        assert refused.value.at == deviations[0]
    else:
        assert formats.read(data, strict=True) == record


@pytest.mark.parametrize("name", CUT)
def test_cut_sample_is_refused_with_its_position(samples: Path, name: str) -> None:
    with pytest.raises(FormatError, match=r"ends inside .* ISO/IEC 19794-2:2005") as cut:
        formats.read(samples / name)
    assert cut.value.at == CUT[name]


def test_vendor_made_records_of_fvc(samples: Path) -> None:
    """Checked against the sizes that the files declare, and written back byte for byte."""
    for path in sorted((samples / "fvc2002_DB1_B_iso").iterdir()):
        data = path.read_bytes()
        record = formats.read(data, strict=True)
        assert record.format == "iso2005"
        (view,) = record.views
        assert (len(data) - 30) // 6 == len(view) == data[27]
        assert (view.width, view.height, view.resolution) == (300, 400, (197, 197))
        assert formats.write(record) == data


TRUTH_KINDS = {"OTHER": 0, "EITHER": 0, "ENDING": 1, "BIFURCATION": 2}
TRUTH_POSITIONS = {"LEFT_INDEX": 7, "RIGHT_INDEX": 2}


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.startswith("fingerprintio")])
def test_sample_against_its_json(samples: Path, name: str) -> None:
    truth = json.loads((samples / name).with_suffix(".json").read_text())
    record = formats.read(samples / name)
    assert record.product == (truth.get("vendorId", 0), truth.get("subformat", 0))
    assert len(record.views) == len(truth["fingerprints"])
    for view, finger in zip(record.views, truth["fingerprints"], strict=True):
        whole = {**truth, **finger}
        assert view.position == TRUTH_POSITIONS[finger["position"]]
        assert view.number == finger["view"]
        assert view.impression == 0  # LIVE_PLAIN
        assert (view.width, view.height) == (whole["width"], whole["height"])
        assert view.resolution == (whole["resolutionX"], whole["resolutionY"])
        assert view.device.kind == whole["sensorId"]
        found = np.column_stack((view.kind, view.xy, view.angle, view.quality)).tolist()
        assert found == [
            [TRUTH_KINDS[m["type"]], m["positionX"], m["positionY"], m["angle"], m["quality"]]
            for m in finger["minutiae"]
        ]
        if "qrecords" in finger:
            assert view.qualities == tuple(
                formats.QualityBlock(q["quality"], q["vendor"], q["algorithm"])
                for q in finger["qrecords"]
            )
            when = finger["datetime"]
            assert int.from_bytes(view.time[:2], "big") == when["year"]
            assert list(view.time[2:7]) == [
                when[k] for k in ("month", "day", "hour", "minute", "second")
            ]
            assert view.device.vendor == finger["sensorVendor"]
        else:
            made = formats.QualityBlock(
                finger["quality"],
                finger.get("qualityVendorId", 0),
                finger.get("qualityAlgorithmId", 0),
            )
            assert view.qualities == (made,)
        _same_blocks(view, finger)


def _same_blocks(view: formats.View, finger: dict) -> None:
    import base64

    rest = [block for block in view.blocks if block.kind not in (1, 2)]
    assert [(b.kind, b.data) for b in rest] == [
        (e["type"], base64.b64decode(e["data"])) for e in finger["extensions"]
    ]
    counts = [formats.ridge_counts(b) for b in view.blocks if b.kind == 1]
    if finger["counts"] is None:
        assert not counts
    else:
        assert [list(edge) for edge in counts[0].edges] == [
            [e["from"], e["to"], e["count"]] for e in finger["counts"]["edges"]
        ]


def test_cores_and_deltas_of_a_sample(samples: Path) -> None:
    """By hand: two cores, one with an angle; four deltas, three with angles."""
    record = formats.read(samples / "libbiomeval" / "fmr.iso2005")
    points = formats.cores_and_deltas(record.views[1].blocks[0], record.format)
    assert points.cores == (
        formats.Singularity(150, 250, (90,)),
        formats.Singularity(100, 150, (45,)),
    )
    assert [(p.x, p.y, len(p.angles)) for p in points.deltas] == [
        (143, 232, 3), (103, 104, 0), (136, 214, 3), (130, 319, 3),
    ]  # fmt: skip


def test_vendor_angles_agree_with_our_extraction(data: Path) -> None:
    """Zero, sense and direction: the median difference over nearest minutiae is some degrees."""
    stored = formats.read_templates(data / "formats/templates/fvc2002_DB1_B_iso/101_1.iso")[0]
    image = fp.read_image(data / "fvc2002/DB1_B/101_1.tif", ppi=500)
    own = fp.extract(image)
    # The vendor's images were squeezed to 300x400.
    squeeze = np.array([own.width / stored.width, own.height / stored.height])
    assert _median_turn(stored, own, squeeze) < 12


def _median_turn(one: fp.Template, other: fp.Template, squeeze: object = 1.0) -> float:
    apart = np.linalg.norm(one.xy[:, None] / 8 * squeeze - other.xy[None] / 8, axis=2)
    near = apart.argmin(1)
    close = apart.min(1) < 8
    assert close.sum() > 10
    turn = one.angle[close].astype(np.int64) - other.angle[near[close]]
    return float(np.median(np.abs((turn + 32768) % 65536 - 32768)) * 360 / 65536)


@pytest.mark.parametrize("name", ["xyt", "xyt-m1"])
def test_both_flavours_of_xyt_agree_with_mindtct(data: Path, name: str) -> None:
    nbis = pytest.importorskip("nbis")
    image = fp.read_image(data / "fvc2002/DB1_B/103_1.tif", ppi=500)
    height, width = image.pixels.shape
    settings_ = nbis.NbisExtractorSettings(
        min_quality=0.3, get_center=False, check_fingerprint=False, compute_nfiq2=False, ppi=500.0
    )
    import io

    from PIL import Image

    png = io.BytesIO()
    Image.fromarray(image.pixels).save(png, "PNG")
    found = nbis.new_nbis_extractor(settings_).extract_minutiae(png.getvalue()).get()
    # nbis-py gives degrees counter-clockwise along the ridge, y down.
    lines = {
        "xyt": [f"{m.x()} {height - m.y()} {round(m.angle() + 180) % 360}" for m in found],
        "xyt-m1": [f"{m.x()} {m.y()} {round(m.angle()) % 360 // 2}" for m in found],
    }[name]
    text = "\n".join(lines).encode()
    (template,) = formats.read_templates(text, name, size=(width, height))
    assert {(m.x() * 8, m.y() * 8) for m in found} == set(map(tuple, template.xy.tolist()))
    assert _median_turn(template, fp.extract(image)) < 12


@given(cases.records)
@settings(deadline=None, max_examples=60)
def test_records_come_back_whole(record: formats.TemplateRecord) -> None:
    data = formats.write(record)
    assert formats.recognise(data) == record.format
    back = formats.read(data, strict=True)
    assert back == record
    assert hash(back) == hash(record)
    assert formats.write(back) == data


@given(
    st.sampled_from((*cases.FMR, "xyt", "xyt-m1", "fpt")),
    st.integers(0, 2**32),
    st.integers(0, 255),
)
@settings(deadline=None, max_examples=60)
def test_a_round_trip_loses_nothing_that_the_format_holds(name: str, seed: int, count: int) -> None:
    if name == "fpt":
        template = cases.template(seed, count)
    else:
        template = cases.template(seed, max(count, 1), turn=formats.turn_of(name), step=8)
    result = formats.convert(template, name)
    data = formats.write(result.content)
    size = (template.width, template.height)
    (back,) = formats.read_templates(data, name, size=size)
    if name.startswith("xyt"):
        lost = {"kind": np.zeros_like(template.kind), "position": 0, "impression": 29}
        expected = replace(template, image_quality=255, **lost)
        assert set(result.losses) <= {"kind of minutiae", "position", "impression", "image quality"}
    else:
        expected = template
        assert result.losses == ()
    assert back == expected


@pytest.mark.parametrize("source", cases.FMR)
@pytest.mark.parametrize("target", cases.FMR)
def test_between_records(source: str, target: str) -> None:
    record = cases.record(source)
    result = formats.convert(record, target)
    back = formats.read(formats.write(result.content), strict=True)
    assert back.format == target
    first = back.views[0]
    assert formats.ridge_counts(first.blocks[0]) == formats.ridge_counts(record.views[0].blocks[0])
    points = formats.cores_and_deltas(first.blocks[1], target)
    ratio = formats.turn_of(target) / formats.turn_of(source)
    assert points.deltas[0].angles == tuple(round(a * ratio) for a in (10, 70, 130))
    same_body = source.startswith("iso") == target.startswith("iso")
    assert ("extended data of kind 324" in result.losses) is not same_body
    assert [view.position for view in back.views] == [2, 2]
    if source == target:
        assert result.content == record
        assert result.losses == ()
    again = formats.convert(back, source).content
    if source.startswith("iso") or not target.startswith("iso"):
        np.testing.assert_allclose(again.views[1].angle, record.views[1].angle, atol=2)
    # 256 units a turn tell all of 180 apart.
    if source.startswith("incits"):
        assert (again.views[1].angle == record.views[1].angle).all()


@pytest.mark.parametrize("target", ["iso2005", "iso2011", "incits2009", "fpt"])
def test_what_the_caller_says_wins_in_every_conversion(target: str) -> None:
    one = replace(cases.view("iso2005"), resolution=(0, 0), width=0, height=0)
    record = formats.TemplateRecord("iso2005", (one,))
    result = formats.convert(
        record, target, position=fp.FingerPosition.LEFT_THUMB, ppi=1000, size=(1000, 800)
    )
    (template,) = formats.read_templates(formats.write(result.content))
    assert template.position == fp.FingerPosition.LEFT_THUMB
    assert (template.width, template.height) == (500, 400)
    expected = np.maximum((one.xy + 0.5) / 2 - 0.5, 0)
    np.testing.assert_allclose(template.xy / 8, expected, atol=0.51)


@pytest.mark.parametrize("name", cases.FMR)
def test_cut_anywhere_is_refused(name: str) -> None:
    data = formats.write(cases.record(name))
    for size in range(len(data)):
        with pytest.raises(FormatError) as cut:
            formats.read(data[:size], name)
        assert cut.value.at is not None
        with pytest.raises(FormatError):
            formats.read(data[:size])


@pytest.mark.parametrize("name", ["xyt", "xyt-m1", "fpt"])
def test_other_formats_cut_anywhere_raise_nothing_foreign(name: str) -> None:
    data = formats.write(formats.convert(cases.template(count=12), name).content)
    for size in range(len(data)):
        try:
            record = formats.read(data[:size], name)
        except FormatError:
            continue
        # A text file that ends between two numbers is a shorter one.
        assert name != "fpt"
        assert 0 < len(record.views[0]) <= 12


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_cut_anywhere_are_refused_or_say_so(samples: Path, name: str) -> None:
    format, _, _ = SAMPLES[name]
    data = (samples / name).read_bytes()
    for size in range(0, len(data), 1 if len(data) < 500 else 3):
        try:
            record = formats.read(data[:size], format)
        except FormatError:
            continue
        assert record.deviations or not any(data[size:])  # padding may be cut


@pytest.mark.parametrize("name", cases.FMR)
def test_wrong_lengths_are_reported_and_the_rest_is_read(name: str) -> None:
    record = cases.record(name)
    data = bytearray(formats.write(record))
    end = 10 if name == "incits2004" else 12
    data[end - 1] ^= 3
    for damaged in (bytes(data), formats.write(record) + bytes(7)):
        back = formats.read(damaged)
        assert back == record
        assert back.deviations
        with pytest.raises(FormatError):
            formats.read(damaged, strict=True)


@pytest.mark.parametrize("version", [b"020\0", b" 20\0", b"030\0", b"035\0", b"999\0"])
@pytest.mark.parametrize("name", cases.FMR)
def test_the_version_alone_does_not_decide(name: str, version: bytes) -> None:
    record = cases.record(name)
    data = bytearray(formats.write(record))
    data[4:8] = version
    found = formats.recognise(bytes(data))
    twins = {"incits2009", "incits2009am1"}  # one layout: here the version is all there is
    assert found == name or {found, name} <= twins
    assert formats.read(bytes(data), name) == record


def test_a_long_incits_record_has_a_long_length() -> None:
    one = cases.view("incits2004", count=255, blocks=(formats.Block(0x200, bytes(60_000)),))
    record = formats.TemplateRecord("incits2004", (one, replace(one, number=1)))
    data = formats.write(record)
    assert data[8:10] == b"\0\0"
    assert formats.read(data, strict=True) == record


def test_views_without_minutia_quality() -> None:
    one = cases.view("iso2011", quality=False)
    record = formats.TemplateRecord("iso2011", (one,))
    back = formats.read(formats.write(record), strict=True)
    assert back == record
    assert back.views[0].quality is None
    older = formats.convert(back, "iso2005").content
    assert (older.views[0].quality == 0).all()


@pytest.mark.parametrize("name", cases.FMR)
def test_an_unknown_finger_quality_is_written_as_the_format_writes_it(name: str) -> None:
    template = replace(cases.template(turn=180, step=8), image_quality=255)
    record = formats.convert(template, name).content
    bare = replace(record, views=(replace(record.views[0], qualities=()),))
    for one in (record, bare):
        (back,) = formats.read_templates(formats.write(one), strict=True)
        assert back.image_quality == (0 if name in ("iso2005", "incits2004") else 255)


def test_resolution_and_size() -> None:
    one = replace(cases.view("iso2005"), resolution=(394, 394), width=776, height=748)
    record = formats.TemplateRecord("iso2005", (one,))
    (template,) = formats.to_templates(record)
    assert (template.width, template.height) == (388, 374)
    np.testing.assert_allclose(template.xy / 8, np.maximum((one.xy + 0.5) / 2 - 0.5, 0), atol=0.13)
    unknown = formats.TemplateRecord("iso2005", (replace(one, resolution=(0, 0)),))
    with pytest.raises(ResolutionError, match="ppi="):
        formats.to_templates(unknown)
    assert formats.to_templates(unknown, ppi=1000)[0] == template
    coarse = formats.TemplateRecord("iso2005", (replace(one, resolution=(39, 39)),))
    with pytest.raises(ResolutionError, match="99"):
        formats.to_templates(coarse)
    assert formats.to_templates(coarse, ppi=1000)[0] == template
    with pytest.raises(ResolutionError):
        formats.to_templates(coarse, ppi=20)


@pytest.mark.parametrize("name", ["iso2005", "incits2004"])
def test_directions_lean_as_the_picture_does_where_its_two_resolutions_differ(name) -> None:
    """Twice as many pixels across as down: the same finger, in pixels that are not square."""
    square = cases.view(name)
    units = 256 if name == "iso2005" else 180
    turn = square.angle * (2 * np.pi / units)
    wide = replace(
        square,
        resolution=(394, 197),
        width=2 * square.width,
        xy=square.xy * np.array([2, 1]),
        angle=np.rint(np.arctan2(np.sin(turn), 2 * np.cos(turn)) * units / (2 * np.pi)).astype(int)
        % units,
    )
    as_it_is, back = (
        formats.to_templates(formats.TemplateRecord(name, (one,)))[0] for one in (square, wide)
    )
    off = (back.angle.astype(np.int64) - as_it_is.angle.astype(np.int64) + 32768) % 65536 - 32768
    # Pixels across cost a direction that is nearly upright the most.
    assert np.abs(off).max() <= 2.1 * 65536 / units
    assert (wide.angle != square.angle).any()
    assert (np.abs(as_it_is.xy.astype(int) - back.xy) <= 3).all()


def test_a_minutia_outside_grows_the_image_and_is_reported() -> None:
    one = cases.view("iso2005", count=1)
    record = formats.TemplateRecord("iso2005", (replace(one, xy=np.array([[400, 10]])),))
    back = formats.read(formats.write(record))
    assert "outside" in back.deviations[0].what
    assert formats.to_templates(back)[0].width == 401
    far = formats.TemplateRecord("iso2005", (replace(one, xy=np.array([[16000, 10]])),))
    with pytest.raises(TemplateError, match="from 1 to 8191"):
        formats.to_templates(far)


def test_codes_that_a_template_does_not_know() -> None:
    one = replace(cases.view("iso2011"), position=13, impression=24)
    (template,) = formats.to_templates(formats.TemplateRecord("iso2011", (one,)))
    assert template.position == 0
    assert template.impression == 29
    for code in (4, 5, 6, 7):
        latent = formats.TemplateRecord("iso2011", (replace(one, impression=code),))
        assert formats.to_templates(latent)[0].impression == 4
    named = formats.to_templates(
        formats.TemplateRecord("iso2011", (one,)), position=fp.FingerPosition.LEFT_THUMB
    )
    assert named[0].position == 6


def test_what_does_not_fit_is_refused() -> None:
    record = cases.record("iso2011")
    mixed = replace(record, views=(record.views[0], replace(record.views[1], width=300)))
    formats.write(mixed)
    with pytest.raises(FormatError, match="one width for all views"):
        formats.convert(mixed, "iso2005")
    with pytest.raises(FormatError, match="one view"):
        formats.convert(record, "xyt")
    with pytest.raises(FormatError, match="one view"):
        formats.convert(record, "fpt")
    with pytest.raises(FormatError, match="no view 2"):
        formats.convert(record, "fpt", view=2)
    with pytest.raises(FormatError, match="no format 'word'"):
        formats.convert(record, "word")
    with pytest.raises(FormatError, match="four bits"):
        formats.write(cases.record("iso2005", views=17))
    far = replace(record.views[0], xy=record.views[0].xy + 0x4000)
    with pytest.raises(FormatError, match="14 bits"):
        formats.write(replace(record, views=(far,)))
    with pytest.raises(FormatError, match="does not fit"):
        formats.write(replace(record, views=(replace(record.views[0], width=70_000),)))
    with pytest.raises(FormatError, match="no templates"):
        formats.from_templates([], "iso2011")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (b"1 2 3 4\n1 2\n", 8),
        (b"1 2 3 4\n1 2 3\n", 8),
        (b"1 2 3\n1 2 3456789\n", 6),
        (b"1 2 3 101\n", 0),
        (b"1 2 3\n1 x 3\n", 6),
        (b"1 2 3\n1 -2 3\n", 6),
        (b"1 2 3\n\xff 2 3\n", 6),
        (b"1 2 3\n" * (FORMATS.max_minutiae + 1), 6 * FORMATS.max_minutiae),
    ],
)
def test_damaged_xyt(text: bytes, at: int) -> None:
    with pytest.raises(FormatError) as refused:
        formats.read(text, "xyt")
    assert refused.value.at == at


def test_an_xyt_file_holds_over_255_minutiae_and_a_template_the_best() -> None:
    text = "".join(f"{i} {i} 0 {i % 101}\n" for i in range(300)).encode()
    record = formats.read(text)
    assert len(record.views[0]) == 300
    assert formats.write(record) == text
    (template,) = formats.to_templates(record)
    assert len(template) == 255
    assert template.quality.min() > 0
    assert "minutiae beyond the best 255" in formats.convert(record, "iso2005").losses


@pytest.mark.parametrize(
    "junk", [b"", b"F", b"FMR", b"hello", bytes(100), b"1 2\n", b"12", b"\x89PNG\r\n", b"1,2,3\n"]
)
def test_unknown_bytes(junk: bytes) -> None:
    assert formats.recognise(junk) is None
    with pytest.raises(FormatError, match="no known format"):
        formats.read(junk)


def test_sources(tmp_path: Path) -> None:
    data = formats.write(cases.record("iso2011"))
    path = tmp_path / "misleading.png"
    path.write_bytes(data)
    assert formats.read(path) == formats.read(data) == formats.read(bytearray(data))
    with path.open("rb") as file:
        assert formats.read(file) == formats.read(data)
    with pytest.raises(InputError, match="cannot read"):
        formats.read(tmp_path / "absent")
    with pytest.raises(InputError, match="text mode"), path.open(errors="replace") as text:
        formats.read(text)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="int"):
        formats.read(7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("xy", np.full((20, 2), -1)),
        ("xy", np.full((20, 2), 65_536)),
        ("angle", np.full(20, 0.5)),
        ("kind", np.full(20, 256)),
        ("quality", np.full(21, 5)),
    ],
)
def test_columns_that_do_not_fit_are_refused(name: str, value: np.ndarray) -> None:
    with pytest.raises(FormatError, match=name):
        replace(cases.view("iso2011"), **{name: value})


def test_messages_and_representations_hold_no_coordinates() -> None:
    record = cases.record("iso2011")
    assert "array" not in repr(record)
    assert "vendor's own" not in repr(record)


def test_records_search_as_stored_templates_do() -> None:
    template = cases.template(count=30, turn=256, step=8)
    (back,) = formats.read_templates(formats.write(formats.convert(template, "iso2005").content))
    assert fp.compare(template, back).value == fp.compare(template, template).value


def test_the_command_converts_and_says_what_was_lost(tmp_path: Path, fpm, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "two.bin"
    source.write_bytes(formats.write(cases.record("incits2004")))

    def run(*words: str) -> tuple[int, dict, str]:
        code, said, error = fpm("convert", *words, "--json", "-")
        return code, json.loads(said or "{}"), error

    code, report, _ = run("two.bin", "one.fpt", "--view", "1", "--position", "left-ring")
    assert code == 0
    assert report["from"] == "incits2004"
    assert report["to"] == "fpt"
    assert report["impressions"] == 1
    assert "product identifier" in report["lost"]
    stored = fp.Template.from_bytes((tmp_path / "one.fpt").read_bytes())
    assert stored.position == fp.FingerPosition.LEFT_RING
    code, report, _ = run("one.fpt", "one.iso", "--to", "iso2011")
    assert code == 0
    assert formats.read_templates(tmp_path / "one.iso")[0].position == stored.position
    (tmp_path / "images").write_bytes(formats.write(cases.image_record("fir2005")))
    code, report, _ = run("images", "images.iso", "--to", "fir2011", "--view", "1")
    assert code == 0
    assert report["impressions"] == 1
    (tmp_path / "asked").write_bytes(formats.write(cases.transaction()))
    code, report, _ = run("asked", "asked.iso", "--to", "iso2005")
    assert code == 0
    assert (report["from"], report["impressions"]) == ("itl", 1)
    code, _, said = run("two.bin", "both.xyt")
    assert code == 2
    assert "one view" in said
    code, _, said = run("two.bin", "both.iso")
    assert code == 2
    assert "--to" in said
