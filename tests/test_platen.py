"""A finger lies anywhere on a platen of any size; several fingers are told from one."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fpmatch import FingerImage, FingerPosition, Template, compare, extract, formats, read_image
from fpmatch.errors import ExtractionError, ImageError, InputError
from fpmatch.image.foreign import no_foreign
from fpmatch.minutiae import EXTRACTORS, extract_minutiae
from fpmatch.template import codec

PAPER = 252


@pytest.fixture(scope="module")
def prints(synthetic_data: Path) -> list[np.ndarray]:
    """First impressions of six synthetic fingers."""
    paths = [synthetic_data / "optical" / f"{k}_1.png" for k in range(1, 7)]
    return [np.asarray(Image.open(path).convert("L")) for path in paths]


def platen(
    finger: np.ndarray, shape: tuple[int, int], corner: tuple[int, int], noise: float
) -> np.ndarray:
    """A print in the middle of nothing but noise."""
    random = np.random.default_rng(5)
    out = np.rint(PAPER - 10 + random.normal(0, noise, shape)) if noise else np.full(shape, PAPER)
    y, x = corner
    out[y : y + finger.shape[0], x : x + finger.shape[1]] = finger
    return np.clip(out, 0, 255).astype(np.uint8)


PLATENS = [
    ((1500, 1600), (560, 600), 1.0),
    ((1500, 1600), (0, 1151), 0.0),
    ((2600, 3000), (2003, 30), 1.0),
    ((900, 1000), (100, 100), 3.0),
    ((1001, 801), (333, 217), 2.0),
]


@pytest.mark.parametrize("extractor", sorted(EXTRACTORS))
@pytest.mark.parametrize(("shape", "corner", "noise"), PLATENS)
def test_a_finger_is_found_wherever_it_lies(
    prints: list[np.ndarray],
    extractor: str,
    shape: tuple[int, int],
    corner: tuple[int, int],
    noise: float,
) -> None:
    alone = extract(read_image(prints[0], ppi=500), extractor=extractor)
    image = read_image(platen(prints[0], shape, corner, noise), ppi=500)
    found = extract(image, extractor=extractor)
    assert (found.height, found.width) == shape
    assert compare(alone, found).value > 100
    middle = found.xy.mean(axis=0) / 8 - corner[::-1]
    assert np.abs(middle - alone.xy.mean(axis=0) / 8).max() < 25
    where = np.argwhere(found.orientation) * 16 + 8  # type: ignore[arg-type]
    assert (where.min(axis=0) > np.array(corner) - 24).all()
    assert (where.max(axis=0) < np.array(corner) + prints[0].shape + 24).all()


@pytest.mark.parametrize("extractor", sorted(EXTRACTORS))
@pytest.mark.parametrize("noise", [1.0, 4.0])
def test_a_fingertip_is_found_on_a_platen_of_less_than_a_megapixel(
    prints: list[np.ndarray], extractor: str, noise: float
) -> None:
    tip = prints[0][97:277, 104:284]
    image = read_image(platen(tip, (990, 990), (300, 500), noise), ppi=500)
    assert len(extract(image, extractor=extractor)) >= 8


def test_the_part_that_was_looked_at_is_named(prints: list[np.ndarray]) -> None:
    stages: dict[str, object] = {}
    image = read_image(platen(prints[0], (1500, 1600), (560, 600), 1.0), ppi=500)
    extract_minutiae(image, stages=stages)
    x, y = stages["corner"]  # type: ignore[misc]
    assert 500 < x < 660
    assert 460 < y < 620


def test_a_print_that_fills_its_picture_is_not_cut(prints: list[np.ndarray]) -> None:
    for pixels in prints:
        stages: dict[str, object] = {}
        extract_minutiae(read_image(pixels, ppi=500), stages=stages)
        assert "corner" not in stages


@pytest.mark.parametrize("noise", [0.0, 1.0, 30.0])
def test_a_platen_without_a_finger_is_refused(noise: float) -> None:
    empty = platen(np.full((4, 4), PAPER, np.uint8), (1500, 1600), (0, 0), noise)
    with pytest.raises(ExtractionError, match="capture the finger again"):
        extract(read_image(empty, ppi=500))


@pytest.mark.data
def test_real_fingers_are_found_on_large_platens(data: Path) -> None:
    for name in ("fvc2002/DB1_B/101_1", "fvc2002/DB3_B/103_2", "fvc2000/DB3_B/104_2"):
        pixels = np.asarray(Image.open(data / f"{name}.tif").convert("L"))
        alone = extract(read_image(pixels, ppi=500))
        for shape, corner, noise in PLATENS[:3]:
            found = extract(read_image(platen(pixels, shape, corner, noise), ppi=500))
            assert compare(alone, found).value > 100, (name, shape)


# Several fingers.


def side_by_side(prints: list[np.ndarray], gap: int, axis: int = 1) -> np.ndarray:
    """Prints on one sheet of paper."""
    most = max(one.shape[1 - axis] for one in prints)
    padded = []
    for one in prints:
        room = [(0, 0), (0, 0)]
        room[1 - axis] = (0, most - one.shape[1 - axis])
        room[axis] = (0, gap)
        padded.append(np.pad(one, room, constant_values=PAPER))
    return np.concatenate(padded, axis)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_several_fingers_are_refused_with_their_number(
    prints: list[np.ndarray], count: int, axis: int
) -> None:
    sheet = side_by_side(prints[:count], 60, axis)
    with pytest.raises(ExtractionError, match=rf"^{count} fingers seen"):
        extract(read_image(sheet, ppi=500))


def test_a_sheet_of_rows_and_a_turned_slap_are_refused(prints: list[np.ndarray]) -> None:
    row = side_by_side(prints[:3], 60)
    sheet = np.concatenate([row, np.full((60, row.shape[1]), PAPER, np.uint8), row])
    with pytest.raises(ExtractionError, match=r"^6 fingers seen"):
        extract(read_image(sheet, ppi=500))
    slap = side_by_side(prints[:4], 20)
    side = int(np.hypot(*slap.shape)) + 1
    turn = cv2.getRotationMatrix2D((slap.shape[1] / 2, slap.shape[0] / 2), 25, 1)
    turn[:, 2] += (side - np.array(slap.shape[::-1])) / 2
    turned = cv2.warpAffine(slap, turn, (side, side), borderValue=PAPER)
    with pytest.raises(ExtractionError, match="fingers seen"):
        extract(read_image(turned, ppi=500))


@pytest.mark.parametrize("shape", [(1500, 1400), (3000, 500), (1300, 900)])
def test_what_is_larger_than_a_finger_is_refused(shape: tuple[int, int]) -> None:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    bent = x * 0.7 + y * 0.5 + 30 * np.sin(y / 170) + 20 * np.cos(x / 210)
    palm = (127 + 90 * np.sin(2 * np.pi * bent / 9)).astype(np.uint8)
    with pytest.raises(ExtractionError, match="more than one finger has"):
        extract(read_image(palm, ppi=500))


@pytest.mark.data
def test_every_slap_is_refused_and_no_single_finger(data: Path) -> None:
    slaps, singles = 0, 0
    for name in ("type-4-tpcard.an2", "type-14-amp-nqm-utf8.an2", "valid1.8.an2"):
        for picture in formats.pictures_of(formats.read(data / "formats" / "nist_itl" / name)):
            image = read_image(picture.data, stated=picture.ppi, trust_ppi=True)
            if picture.positions[0] in (13, 14, 15):
                slaps += 1
                with pytest.raises(ExtractionError, match="fingers seen"):
                    extract(image)
            else:
                singles += 1
                assert len(extract(image)) > 20
    assert (slaps, singles) == (8, 12)


# Arguments, foreign errors, copies.


def test_extract_says_what_it_takes(prints: list[np.ndarray], synthetic_data: Path) -> None:
    path = synthetic_data / "optical" / "1_1.png"
    for image in (path, str(path), path.read_bytes(), prints[0], None):
        with pytest.raises(InputError, match="read_image"):
            extract(image)  # type: ignore[arg-type]
    image = read_image(prints[0], ppi=500)
    for position in (99, 11, -1, "right-thumb", None, 1.5, True):
        with pytest.raises(InputError, match="FingerPosition"):
            extract(image, position=position)  # type: ignore[arg-type]
    for impression in (7, "plain", None):
        with pytest.raises(InputError, match="Impression"):
            extract(image, impression=impression)  # type: ignore[arg-type]
    for extractor in (["neural"], 5, "A" * 100_000):
        with pytest.raises(InputError, match="no extractor") as caught:
            extract(image, extractor=extractor)  # type: ignore[arg-type]
        assert len(str(caught.value)) < 200
    blank = read_image(np.full((300, 300), PAPER, np.uint8), ppi=500)
    with pytest.raises(InputError, match="FingerPosition"):  # before any work is done
        extract(blank, position=99)  # type: ignore[arg-type]
    assert extract(image, position=2).position is FingerPosition.RIGHT_INDEX  # type: ignore[arg-type]


def test_errors_of_opencv_and_of_memory_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match="OpenCV error"), no_foreign(ImageError):
        cv2.resize(np.zeros((3, 3), np.uint8), (0, 0))
    with pytest.raises(ExtractionError, match="memory"), no_foreign(ExtractionError):
        raise MemoryError

    def broken(*_: object) -> None:
        cv2.resize(np.zeros((3, 3), np.uint8), (0, 0))

    monkeypatch.setitem(EXTRACTORS, "neural", broken)
    with pytest.raises(ExtractionError, match="OpenCV error"):
        extract(FingerImage(np.full((100, 100), 200, np.uint8)))


def test_copies_of_a_template_are_equal_and_as_immutable(prints: list[np.ndarray]) -> None:
    template = extract(read_image(prints[0], ppi=500))
    for other in (
        pickle.loads(pickle.dumps(template)), copy.deepcopy(template), copy.copy(template),
        Template(**codec.from_bytes(template.to_bytes())),
    ):  # fmt: skip
        assert other == template
        assert not other.xy.flags.writeable
        assert other.orientation is not None
        assert not other.orientation.flags.writeable
    found = extract_minutiae(read_image(prints[0], ppi=500))
    assert (pickle.loads(pickle.dumps(found)).xy == found.xy).all()
    assert (copy.deepcopy(found).xy == found.xy).all()
