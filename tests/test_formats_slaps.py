"""Slaps in transactions and finger image records: cut, searched, enrolled, marked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import format_cases as cases
import numpy as np
import pytest
from slap_helpers import hand, overlap, single

import fpmatch as fp
from fpmatch import formats
from fpmatch.errors import ExtractionError, FormatError, InputError
from fpmatch.formats import ebts
from fpmatch.image import FingerImage

RIGHT = [2, 3, 4, 5]


def type_14(pixels, position=13, number=1, **fields) -> formats.TaggedRecord:
    height, width = pixels.shape
    values = {2: f"{number:02d}", 3: "0", 6: str(width), 7: str(height), 8: "1", 9: "500"}
    values |= {10: "500", 11: "NONE", 12: "8", 13: str(position)}
    values |= {int(name[1:]): value for name, value in fields.items()}
    return formats.tagged(14, values | {999: np.ascontiguousarray(pixels).tobytes()})


def type_4(pixels, position=13, number=1) -> formats.BinaryRecord:
    import struct

    height, width = pixels.shape
    head = struct.pack(
        ">IBB6sBHHB",
        18 + pixels.size,
        number,
        0,
        bytes([position] + [255] * 5),
        0,
        width,
        height,
        0,
    )
    return formats.BinaryRecord(4, head + np.ascontiguousarray(pixels).tobytes())


def picture(*records, second=None) -> formats.Picture:
    made = formats.read(formats.write(cases.booking(second, records=records)))
    (shown,) = formats.pictures_of(made)
    return shown


def box_of(corners) -> tuple[int, int, int, int]:
    x, y = zip(*corners, strict=True)
    return round(min(x)), round(max(x)), round(min(y)), round(max(y))


def boxes(made, shift=0) -> str:
    return "\x1e".join(
        "\x1f".join(map(str, (int(one.position) + shift, *box_of(one.corners))))
        for one in made.fingers
    )


def polygons(made) -> str:
    return "\x1e".join(
        "\x1f".join(
            map(str, (int(one.position), 4, *(round(v) for point in one.corners for v in point)))
        )
        for one in made.fingers
    )


@pytest.mark.parametrize("record", [type_4, type_14])
def test_a_slap_of_a_transaction_is_cut(record):
    shown = picture(record(hand().pixels))
    assert (shown.slap, shown.finger) == (13, None)
    templates, passed_over = formats.templates_in(shown, extractor="classical")
    assert [one.position for one in templates] == RIGHT
    assert [one.slap for one in templates] == [13] * 4
    assert {one.impression for one in templates} == {fp.Impression.PLAIN}
    assert passed_over == ()


def test_a_slap_of_a_finger_image_record_is_cut():
    made = hand(14)
    record = cases.image_record("fir2011", views=1)
    height, width = made.pixels.shape
    view = replace(
        record.views[0], data=made.pixels.tobytes(), width=width, height=height, position=14,
        compression=0, depth=8, unit=1, resolution=(500, 500), impression=0,
    )  # fmt: skip
    content = formats.read(formats.write(replace(record, views=(view,))))
    (shown,) = formats.pictures_of(content)
    found = formats.cut_slap(shown)
    assert [one.position for one in found] == [10, 9, 8, 7]
    for one, truth in zip(found, made.fingers, strict=True):
        assert overlap(one, truth.corners) > 0.7


def test_single_fingers_are_no_slaps():
    one = single(fp.FingerPosition.RIGHT_INDEX, 1)
    (template,), passed_over = formats.templates_in(
        picture(type_14(one.pixels, 2)), extractor="classical"
    )
    assert (template.position, template.slap, passed_over) == (2, 0, ())
    thumb = picture(type_14(one.pixels, 11))
    assert formats.templates_in(thumb, extractor="classical")[0][0].position == 1
    for position in (2, 19, 25):
        with pytest.raises(ExtractionError, match=f"position {position} is no"):
            formats.cut_slap(picture(type_14(one.pixels, position)))
    with pytest.raises(ExtractionError, match="25 is no single finger"):
        formats.templates_in(picture(type_14(one.pixels, 25)))


def test_what_is_said_to_be_amputated_is_not_looked_for():
    pixels = hand(missing=[4]).pixels
    own = picture(type_14(pixels, f18="4\x1fXX"))
    assert own.amputated == (4,)
    assert [one.position for one in formats.cut_slap(own)] == [2, 3, 5]
    bare = picture(type_14(pixels))
    assert [one.position for one in formats.cut_slap(bare, missing=[4])] == [2, 3, 5]
    with pytest.raises(ExtractionError, match=r"^3 finger\(s\) found"):
        formats.cut_slap(bare)


@pytest.mark.parametrize(("field", "write"), [("f21", boxes), ("f25", polygons)])
def test_where_the_record_says_that_they_lie_wins(field, write):
    # Moved a little, so that it is not what would be seen.
    made = hand(tilt=0.2)
    moved = replace(
        made,
        fingers=tuple(
            replace(one, corners=tuple((x + 12, y + 9) for x, y in one.corners))
            for one in made.fingers
        ),
    )
    found = formats.cut_slap(picture(type_14(made.pixels, **{field: write(moved)})))
    assert [one.position for one in found] == RIGHT
    for one, truth in zip(found, moved.fingers, strict=True):
        assert one.stated
        assert one.notes == ()
        left, right, top, bottom = box_of(truth.corners)
        if field == "f21":
            assert one.box == (left, top, right, bottom)
            assert one.rotation == 0
        else:
            assert np.abs(np.array(one.corners) - truth.corners).max() < 3
            assert abs(one.rotation - truth.angle) < 0.02


def test_polygons_win_over_boxes():
    made = hand(tilt=0.2)
    found = formats.cut_slap(picture(type_14(made.pixels, f21=boxes(made), f25=polygons(made))))
    assert all(one.rotation for one in found)


def test_where_some_of_them_lie():
    """What the record names is cut, and no more: its maker saw no others."""
    made = hand()
    some = replace(made, fingers=made.fingers[1:3])
    found = formats.cut_slap(picture(type_14(made.pixels, f21=boxes(some))))
    assert [one.position for one in found] == [3, 4]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"f21": "7\x1f31\x1f31\x1f31\x1f31"}, "stated (7) are not those of position 13"),
        ({"f21": "2\x1f31\x1f31\x1f31\x1f31"}, "too small"),
        ({"f21": "2\x1f0\x1f9000\x1f0\x1f300"}, "outside the picture"),
        ({"f21": "2\x1f1\x1f2\x1f3"}, "14.021 must be"),
        ({"f21": "2\x1fone\x1f2\x1f3\x1f4"}, "no whole number"),
        ({"f25": "2\x1f4\x1f1\x1f2"}, "14.025 must be"),
        ({"f25": "2\x1f2\x1f1\x1f2\x1f3\x1f4"}, "14.025 must be"),
        ({"f18": "4\x1fZZ"}, "14.018 must be"),
        ({"f18": "4"}, "14.018 must be"),
        ({"f18": "19\x1fXX"}, "14.018 must name fingers 1 to 10"),
        ({"f18": "0\x1fUP"}, "14.018 must name fingers 1 to 10"),
        ({"f21": "0\x1f1\x1f2\x1f3\x1f4"}, "none of a slap"),
    ],
)
def test_a_segmentation_that_cannot_be_true_is_not_used(fields, why):
    made = hand()
    shown = picture(type_14(made.pixels, **fields))
    found = formats.cut_slap(shown)
    for one, truth in zip(found, made.fingers, strict=True):
        assert not one.stated
        assert overlap(one, truth.corners) > 0.7
        assert any("own segmentation is not used" in n and why in n for n in one.notes)
    _, passed_over = formats.templates_in(shown, extractor="classical")
    assert len(passed_over) == 1
    assert why in passed_over[0]


def test_malformed_fields_are_deviations():
    pixels = hand().pixels
    data = formats.write(cases.booking(records=(type_14(pixels, f21="2\x1f1"),)))
    assert any("14.021" in one.what for one in formats.read(data).deviations)
    with pytest.raises(FormatError, match=r"14\.021"):
        formats.read(data, strict=True)


def test_a_finger_both_absent_and_stated():
    made = hand()
    shown = picture(type_14(made.pixels, f18="4\x1fUP", f21=boxes(made)))
    with pytest.raises(ExtractionError, match=r"^4 finger\(s\) found .* shows 3$"):
        formats.cut_slap(shown)


def test_boxes_are_in_pixels_of_the_picture_as_it_was_coded():
    import cv2

    made = hand()
    large = cv2.resize(made.pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    twice = replace(
        made,
        fingers=tuple(
            replace(one, corners=tuple((2 * x, 2 * y) for x, y in one.corners))
            for one in made.fingers
        ),
    )
    record = type_14(large, f9="1000", f10="1000", f21=boxes(twice))
    for one, truth in zip(formats.cut_slap(picture(record)), made.fingers, strict=True):
        left, right, top, bottom = box_of(truth.corners)
        assert np.abs(np.array(one.box) - (left, top, right, bottom)).max() <= 2


def test_nothing_foreign_is_taken():
    for other in (None, "slap", hand().pixels):
        with pytest.raises(InputError):
            formats.cut_slap(other)
        with pytest.raises(InputError):
            formats.templates_in(other)
    shown = picture(type_14(hand().pixels))
    for missing in (None, 4, "4", b"\4", ["x"], [None], [4.5], [11], [0]):
        for call in (formats.cut_slap, formats.templates_in):
            with pytest.raises(InputError, match="missing"):
                call(shown, missing=missing)


def test_a_submission_searches_the_fingers_of_its_slaps(tmp_path):
    """Also those that 2.084 leaves; the mate comes first, found by its slap alone."""
    made = hand(missing=[5], tilt=0.25)
    record = type_14(made.pixels)
    told = cases.booking({18: "DOE,JOHN", 73: "CS0010200", 84: "5\x1fXX"}, records=(record,))
    asked = ebts.submission(formats.read(formats.write(told)), extractor="classical")
    assert [one.position for one in asked.request.fingers] == [2, 3, 4]
    assert [one.slap for one in asked.request.fingers] == [13] * 3
    assert asked.amputated == (5,)
    assert asked.passed_over == ()
    untold = cases.booking({73: "CS0010200"}, records=(record,))
    with pytest.raises(FormatError, match=r"Type-14 1: 3 finger\(s\) found"):
        ebts.submission(untold, extractor="classical")
    root = Path(__file__).resolve().parent.parent
    with fp.Engine.create(tmp_path / "county.fpm") as engine:
        engine.add_partition("criminal", ndr=1, owner="DOJ-FBI")
        engine.add_partition("immigration", ndr=9, owner="DHS")
        engine.enrol("criminal", _records())
        engine.publish(fp.Policy.load(root / "fpmatch" / "cli" / "demo_policy.toml"))
        done = engine.transact(formats.write(told), extractor="classical")
        candidates = done.response["criminal"].candidates
        assert candidates[0].record == "C-17"
        assert {one.position for one in candidates[0].fingers} == {2, 3, 4}


def _records() -> list[fp.Record]:
    """The hand's own fingers by themselves, and others' under the same positions."""
    prints = {
        n: fp.extract(
            FingerImage(single(fp.FingerPosition(n), 2).pixels),
            position=fp.FingerPosition(n),
            extractor="classical",
        )
        for n in RIGHT
    }
    turned = [
        replace(prints[a], position=fp.FingerPosition(b)) for a, b in ((3, 2), (4, 3), (5, 4))
    ]
    return [fp.Record("C-17", list(prints.values())), fp.Record("C-18", turned)]


@pytest.fixture
def run(fpm, tmp_path, monkeypatch):
    """Runs a command in the test's folder: status, what it says as JSON, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, list | dict, str]:
        code, said, error = fpm(*words)
        return code, json.loads(said or "[]"), error

    return call


def test_the_command_cuts_slaps(run, tmp_path):
    from PIL import Image

    made = hand(tilt=0.2)
    Image.fromarray(made.pixels).save(tmp_path / "right.png", dpi=(500, 500))
    how = ("--extractor", "classical", "--json", "-")
    code, rows, _ = run("segment", "right.png", "--position", "right", "--out", "cut", *how)
    assert code == 0
    names = ["right-index", "right-middle", "right-ring", "right-little"]
    assert [row["finger"] for row in rows] == names
    assert [row["position"] for row in rows] == [13] * 4
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == sorted(
        [f"right-{n}.{end}" for n in names for end in ("png", "fpt")] + ["right-cuts.png"]
    )
    (template,) = fp.read_templates(tmp_path / "cut" / "right-right-ring.fpt")
    assert (template.slap, template.position) == (13, 4)
    _, rows, _ = run("extract", "cut/right-right-ring.fpt", "--json", "-")
    assert rows[0]["slap"] == 13
    for words, said in (
        (("right.png",), "--position"),
        (("right.png", "--position", "2"), "no slap"),
        (("right.png", "--position", "left"), "other hand"),
        (("right.png", "--position", "13", "--missing", "right-ring"), "4 finger(s) found"),
        (("right.png", "--position", "13", "--missing", "sixth"), "no finger position"),
        (("none.png", "--position", "13"), "cannot read"),
        (("cut/right-right-ring.fpt",), "no plain slap"),
        (("right.png", "--position", "13", "--out", "right.png"), "cannot make"),
    ):
        code, _, error = run("segment", *words)
        assert code == 2, words
        assert said in error, words
        assert len(error.splitlines()) == 1, words


def test_the_command_cuts_every_slap_of_a_transaction(run, tmp_path):
    records = (
        type_14(hand().pixels, 13, 1),
        type_14(hand(14, missing=[9]).pixels, 14, 2),
        type_14(hand(15).pixels, 15, 3),
    )
    data = formats.write(cases.booking({73: "CS0010200", 84: "9\x1fXX"}, records=records))
    (tmp_path / "card.an2").write_bytes(data)
    how = ("--extractor", "classical", "--json", "-")
    code, rows, _ = run("segment", "card.an2", *how)
    assert code == 0
    assert [(row["slap"], row["position"]) for row in rows] == (
        [("card-1", 13)] * 4 + [("card-2", 14)] * 3 + [("card-3", 15)] * 2
    )
    untold = formats.write(cases.booking({73: "CS0010200"}, records=records))
    (tmp_path / "card.an2").write_bytes(untold)
    code, rows, _ = run("segment", "card.an2", *how)
    assert code == 2
    assert [row["slap"] for row in rows if "error" in row] == ["card-2"]
    assert len(rows) == 7
    code, _, error = run("segment", "card.an2", "--position", "13")
    assert code == 2
    assert "leave --position out" in error
