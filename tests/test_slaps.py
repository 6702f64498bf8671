"""Plain slaps are cut into fingers, named from left to right, or refused with what was found."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from slap_helpers import hand, overlap, right_of, single

import fpmatch as fp
from fpmatch import formats
from fpmatch.errors import ExtractionError, InputError, TemplateError
from fpmatch.image import FingerImage, cut_stated, draw_cuts, find_ridges
from fpmatch.parameters import SLAP
from fpmatch.synthetic import slap

DEGREE = math.pi / 180
ORDER = {13: [2, 3, 4, 5], 14: [10, 9, 8, 7], 15: [6, 1]}


def cut(made, position=None, **how):
    return fp.segment_slap(FingerImage(made.pixels), position or made.position, **how)


@pytest.mark.parametrize("position", [13, 14, 15])
def test_fingers_are_named_from_left_to_right(position):
    made = hand(position)
    found = cut(made)
    assert [one.position for one in found] == ORDER[position]
    assert right_of(found, made) == len(found)
    middles = [(one.box[0] + one.box[2]) / 2 for one in found]
    assert middles == sorted(middles)
    for one in found:
        assert one.slap == one.image.slap == position
        assert 0 <= one.box[0] < one.box[2] <= made.pixels.shape[1]
        assert 0 <= one.box[1] < one.box[3] <= made.pixels.shape[0]
        assert one.confidence > 0.9
        assert not one.stated


@pytest.mark.parametrize("degrees", [-45, -25, 25, 45])
def test_a_tilted_hand_is_turned_upright(degrees):
    made = hand(tilt=degrees * DEGREE)
    found = cut(made)
    assert right_of(found, made) == 4
    for one, truth in zip(found, made.fingers, strict=True):
        assert abs(one.rotation - truth.angle) < 9 * DEGREE
        # Upright: as high as wide or more, with the ridges of one finger.
        assert len(one.image.ridges.fingers) == 1


@pytest.mark.parametrize("gap", [0, 8])
def test_fingers_that_touch_are_told_apart(gap):
    made = hand(gap=gap, fan=0.02)
    found = cut(made)
    assert right_of(found, made) == 4
    assert min(one.confidence for one in found) < 0.9 < cut(hand())[0].confidence


def test_without_second_phalanges_and_in_noise():
    for laid in ({"phalanges": False}, {"noise": 16.0}):
        made = hand(**laid)
        assert right_of(cut(made), made) == 4


def test_the_second_phalanx_is_cut_off():
    made = hand()
    for one, truth in zip(cut(made), made.fingers, strict=True):
        low = max(y for _, y in truth.corners)
        assert max(y for _, y in one.corners) < low + 40


@pytest.mark.parametrize("missing", [[2], [3], [4], [5], [2, 5], [3, 4], [2, 3, 4]])
def test_missing_fingers_lessen_the_count(missing):
    made = hand(missing=missing)
    found = cut(made, missing=missing)
    assert [one.position for one in found] == [n for n in ORDER[13] if n not in missing]
    assert right_of(found, made) == 4 - len(missing)


def test_a_count_that_is_not_the_expected_one_is_an_error_that_says_where():
    with pytest.raises(ExtractionError, match=r"^3 finger\(s\) found at \(\d+, \d+\), .*shows 4"):
        cut(hand(missing=[4]))
    with pytest.raises(ExtractionError, match=r"^4 finger\(s\) found at .* 13 shows 3$"):
        cut(hand(), missing=[fp.FingerPosition.RIGHT_RING])
    with pytest.raises(ExtractionError, match=r"^4 finger\(s\) found .* position 15 shows 2"):
        cut(hand(), 15)
    with pytest.raises(ExtractionError, match=r"^[12] finger\(s\) found .* position 13 shows 4"):
        cut(hand(missing=[2, 3, 4]))


def test_what_is_missing_of_the_other_hand_says_nothing():
    assert len(cut(hand(), missing=[1, 6, 7, 8, 9, 10])) == 4


def test_five_blobs_are_no_hand():
    made = hand()
    more = single(fp.FingerPosition.RIGHT_THUMB, 1).pixels
    wide = np.full((made.pixels.shape[0], made.pixels.shape[1] + 420), 252, np.uint8)
    wide[:, : made.pixels.shape[1]] = made.pixels
    wide[120 : 120 + more.shape[0], -400 : more.shape[1] - 400] = more
    with pytest.raises(ExtractionError, match=r"^5 finger\(s\) found"):
        fp.segment_slap(FingerImage(wide), 13)


def test_the_side_of_a_neighbours_print_is_no_finger():
    """As on cards, where the thumb's box ends in the next one."""
    made = hand()
    sliver = single(fp.FingerPosition.RIGHT_THUMB, 1).pixels[:, 200:330]
    wide = np.full((made.pixels.shape[0], made.pixels.shape[1] + 160), 252, np.uint8)
    wide[:, 160:] = made.pixels
    wide[150 : 150 + sliver.shape[0], : sliver.shape[1]] = sliver
    found = fp.segment_slap(FingerImage(wide), 13)
    for one, truth in zip(found, made.fingers, strict=True):
        assert overlap(one, [(x + 160, y) for x, y in truth.corners]) > 0.6


def test_writing_and_lines_are_no_fingers():
    made = hand()
    pixels = np.vstack((np.full((220, made.pixels.shape[1]), 252, np.uint8), made.pixels))
    cv2.putText(pixels, "RIGHT FOUR FINGERS TAKEN", (20, 40), 0, 1.2, 20, 4)
    name = [(60, 180), (90, 80), (120, 190), (150, 90), (190, 190), (210, 120), (260, 170)]
    cv2.polylines(pixels, [np.array(name)], False, 30, 6, cv2.LINE_AA)
    cv2.line(pixels, (6, 0), (6, pixels.shape[0]), 0, 5)
    found = fp.segment_slap(FingerImage(pixels), 13)
    for one, truth in zip(found, made.fingers, strict=True):
        assert overlap(one, [(x, y + 220) for x, y in truth.corners]) > 0.7


@pytest.mark.parametrize("tilt", [-30, 0, 30])
def test_the_other_hand_is_refused(tilt):
    made = hand(tilt=tilt * DEGREE)
    with pytest.raises(ExtractionError, match="other hand"):
        cut(made, 14)
    mirrored = replace(made, pixels=np.ascontiguousarray(made.pixels[:, ::-1]))
    with pytest.raises(ExtractionError, match="other hand"):
        cut(mirrored, 13)
    assert [one.position for one in cut(mirrored, 14)] == ORDER[14]


def test_a_hand_tilted_too_far_is_refused_or_right():
    for degrees in (-80, -60, 60, 80):
        made = hand(tilt=degrees * DEGREE)
        with pytest.raises(ExtractionError):
            cut(made)


@pytest.mark.parametrize("level", [0, 255, None])
def test_nothing_to_be_seen(level):
    shape = (1000, 1600)
    noise = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    pixels = noise if level is None else np.full(shape, level, np.uint8)
    with pytest.raises(ExtractionError, match=r"no ridges|0 finger\(s\) found"):
        fp.segment_slap(FingerImage(pixels), 13)
    with pytest.raises(ExtractionError):
        fp.segment_slap(FingerImage(pixels[:48, :48].copy()), 15)


def test_what_is_no_slap():
    image = FingerImage(np.full((60, 60), 255, np.uint8))
    for position in (0, 2, 11, 12, 16, 40, 255, -1, 13.5, "13", None, True):
        with pytest.raises(InputError, match="position"):
            fp.segment_slap(image, position)
    for missing in (5, "2", b"2", [0], [11], ["2"], [None]):
        with pytest.raises(InputError, match="missing"):
            fp.segment_slap(image, 13, missing=missing)
    with pytest.raises(InputError, match="all fingers"):
        fp.segment_slap(image, 13, missing=[2, 3, 4, 5])
    for other in (None, "slap.png", np.zeros((60, 60), np.uint8)):
        with pytest.raises(InputError, match="image must be FingerImage"):
            fp.segment_slap(other, 13)


def test_a_picture_too_large_for_a_slap_is_refused_before_any_work():
    side = math.isqrt(SLAP.most_pixels) + 1
    large = FingerImage(np.broadcast_to(np.uint8(255), (side, side)).copy())
    with pytest.raises(InputError, match="no slap"):
        fp.segment_slap(large, 13)


def test_a_large_platen_is_cut_as_a_small_one():
    made = hand()
    pixels = np.full((2600, 3000), 252, np.uint8)
    h, w = made.pixels.shape
    pixels[900 : 900 + h, 1200 : 1200 + w] = made.pixels
    found = fp.segment_slap(FingerImage(pixels), 13)
    for one, truth in zip(found, made.fingers, strict=True):
        assert overlap(one, [(x + 1200, y + 900) for x, y in truth.corners]) > 0.7


def test_without_a_stated_position_a_slap_is_refused_as_ever():
    image = FingerImage(hand().pixels)
    assert len(find_ridges(image.pixels).fingers) > 1
    with pytest.raises(ExtractionError, match="one finger at a time"):
        fp.extract(image)


def test_a_cut_is_the_same_every_time_and_leaves_the_slap_as_it_was():
    made = hand(tilt=0.3)
    image = FingerImage(made.pixels.copy())
    first, second = (fp.segment_slap(image, 13) for _ in range(2))
    assert np.array_equal(image.pixels, made.pixels)
    for a, b in zip(first, second, strict=True):
        assert a.corners == b.corners
        assert np.array_equal(a.image.pixels, b.image.pixels)
    again = pickle.loads(pickle.dumps(first[0]))
    assert np.array_equal(again.image.pixels, first[0].image.pixels)


def test_upright_pixels_are_not_interpolated():
    """The ridges of a hand that stands upright are those of the slap, byte for byte."""
    made = hand(fan=0.0)
    found = [one for one in cut(made) if one.rotation == 0]
    assert found
    for one in found:
        middle = tuple(np.mean(one.corners, axis=0).astype(int))
        patch = made.pixels[middle[1] - 40 : middle[1] + 40, middle[0] - 40 : middle[0] + 40]
        score = cv2.matchTemplate(one.image.pixels, patch, cv2.TM_SQDIFF)
        y, x = divmod(int(score.argmin()), score.shape[1])
        assert np.array_equal(one.image.pixels[y : y + 80, x : x + 80], patch)


def test_each_finger_finds_itself_among_single_prints():
    """Cut from a slap, against another impression of each finger captured by itself."""
    made = hand(tilt=0.35, gap=4, number=1)
    probes = [
        fp.extract(one.image, position=one.position, extractor="classical") for one in cut(made)
    ]
    singles = [
        fp.extract(FingerImage(single(one.position, 2).pixels), extractor="classical")
        for one in made.fingers
    ]
    scores = np.array([[fp.compare(p, s).value for s in singles] for p in probes])
    assert (scores.argmax(axis=1) == np.arange(4)).all()
    assert np.diag(scores).min() > (scores - np.diag(np.diag(scores))).max()
    assert np.median(np.diag(scores)) > 50


def test_a_template_says_that_it_was_cut_from_a_slap(tmp_path):
    one = cut(hand())[0]
    template = fp.extract(one.image, position=one.position, extractor="classical")
    assert template.slap == 13
    assert "cut from a slap" in repr(template)
    again = fp.Template.from_bytes(template.to_bytes())
    assert again.slap == 13
    assert again == template
    plain = replace(template, slap=0)
    assert plain != template
    # What is of no slap is stored as it ever was.
    assert len(plain.to_bytes()) == len(template.to_bytes()) - 1
    assert plain.to_bytes()[3] == 2
    assert "that the finger was cut from a slap" in formats.convert(template, "iso2005").losses
    assert not any("slap" in loss for loss in formats.convert(plain, "iso2005").losses)
    with fp.Engine.create(tmp_path / "g") as engine:
        engine.add_partition("p", ndr=1, owner="O")
        engine.enrol("p", [fp.Record("R", [template])])
    with fp.Engine.open(tmp_path / "g") as engine:
        stored = [t for _, t in engine._state.gallery.templates("p", [0])]
        assert [t.slap for t in stored] == [13]


@pytest.mark.parametrize("value", [-1, 1, 12, 16, 255, 256, "13", 13.5, None])
def test_a_template_is_of_a_slap_or_of_none(value):
    one = single(fp.FingerPosition.RIGHT_INDEX, 1)
    template = fp.extract(FingerImage(one.pixels), extractor="classical")
    with pytest.raises(TemplateError, match="slap"):
        replace(template, slap=value)


def test_stored_bytes_of_a_slap_that_is_none_are_damage():
    import zlib

    template = replace(fp.extract(FingerImage(single(2, 1).pixels), extractor="classical"), slap=13)
    data = bytearray(template.to_bytes())
    data[-1] = 12
    data[4:8] = zlib.crc32(bytes(data[8:])).to_bytes(4, "little")
    with pytest.raises(TemplateError, match="slap"):
        fp.Template.from_bytes(bytes(data))


def boxes(made):
    return {one.position: one.corners for one in made.fingers}


def test_where_a_file_says_that_fingers_lie():
    made = hand(tilt=0.4)
    found = cut_stated(FingerImage(made.pixels), 13, boxes(made))
    assert [one.position for one in found] == ORDER[13]
    for one, truth in zip(found, made.fingers, strict=True):
        assert one.stated
        assert one.image.slap == 13
        assert abs(one.rotation - truth.angle) < 1 * DEGREE
        assert overlap(one, truth.corners) > 0.97


def test_what_cannot_be_where_fingers_lie():
    made = hand()
    image, right = FingerImage(made.pixels), boxes(hand())
    index, middle = right[2], right[3]
    far = tuple((x + 9000, y) for x, y in index)
    for wrong, why in (
        ({}, "none"),
        ({7: index}, r"\(7\) are not those"),
        ({2: far}, "outside"),
        ({2: ((31, 31),) * 4}, "too small"),
        ({2: index[:2]}, "three points"),
        ({2: ((float("nan"), 0), (1, 1), (2, 2))}, "three points"),
        ({2: index, 3: index}, "where another finger lies"),
        ({2: middle, 3: index}, "order of a hand"),
        ({2: "box"}, "three points"),
        ({2: ((0, 0, 0), (1, 1, 1))}, "three points"),
    ):
        with pytest.raises(InputError, match=why):
            cut_stated(image, 13, wrong)


def test_a_picture_of_the_cuts():
    made = hand(tilt=0.2)
    drawn = draw_cuts(FingerImage(made.pixels), cut(made))
    assert drawn.shape == (*made.pixels.shape, 3)
    assert (np.ptp(drawn.astype(int), axis=2) > 60).sum() > 2000


def test_synthetic_slaps_refuse_what_makes_none():
    one = single(fp.FingerPosition.RIGHT_INDEX, 1)
    for prints, position, laid in (
        ({}, 13, {}),
        ({2: one}, 14, {}),
        ({2: one}, 12, {}),
        ({2: "print"}, 13, {}),
        ({2: one}, 13, {"tilt": 9.0}),
        ({2: one}, 13, {"gap": float("nan")}),
        ({2: one}, 13, {"seed": -1}),
        (None, 13, {}),
    ):
        with pytest.raises(InputError):
            slap(prints, position, **laid)


def distinct(data: Path):
    """The slaps of the reference transactions, each picture once, with what is missing in it."""
    seen = set()
    for path in sorted((data / "formats" / "nist_itl").iterdir()):
        transaction = formats.read(path)
        for shown in formats.pictures_of(transaction):
            if shown.slap:
                image = shown.read()
                key = image.pixels.tobytes()
                if key not in seen:
                    seen.add(key)
                    yield shown, image


def test_every_real_slap(data: Path):
    """8 pictures, 27 fingers: all found; told as the other hand's, the six hands are refused."""
    pictures = fingers = refused = 0
    for shown, image in distinct(data):
        # One field is made up: it calls bandaged what is there.
        missing = () if len(shown.amputated) > 1 else shown.amputated
        found = fp.segment_slap(image, shown.slap, missing=missing)
        assert [one.position for one in found] == [n for n in ORDER[shown.slap] if n not in missing]
        assert all(len(one.image.ridges.fingers) == 1 for one in found)
        pictures, fingers = pictures + 1, fingers + len(found)
        if shown.slap != 15:
            other = 27 - shown.slap
            with pytest.raises(ExtractionError, match="other hand"):
                fp.segment_slap(image, other, missing=[n + (5 if n < 6 else -5) for n in missing])
            refused += 1
    assert (pictures, fingers, refused) == (8, 27, 6)


@pytest.mark.slow
def test_the_fingers_of_a_real_card_find_themselves(data: Path):
    """Cut from its plain slaps, nine of ten come first among the rolled ones of the same card.

    The right little finger's two prints resemble each other no more than a chance pair.
    """
    folder = data / "formats" / "nist_itl"
    card = formats.pictures_of(formats.read(folder / "type-14-tpcard-nqm.an2"))
    thumbs = formats.pictures_of(formats.read(folder / "type-4-14-slaps.an2"))
    rolled = {
        shown.finger: fp.extract(shown.read(), extractor="neural")
        for shown in card
        if shown.positions[0] <= 10
    }
    plain = [shown for shown in (*card, *thumbs[-1:]) if shown.slap]
    first = {}
    for shown in plain:
        for template in formats.templates_in(shown)[0]:
            assert template.slap == shown.slap
            scores = {n: fp.compare(template, other).value for n, other in rolled.items()}
            first[template.position] = max(scores, key=scores.__getitem__)
    assert len(first) == 10
    assert {at for at, best in first.items() if at != best} <= {fp.FingerPosition.RIGHT_LITTLE}
