"""The stored form: checks, round trip, size, damage."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpmatch.errors import TemplateError
from fpmatch.minutiae.minutiae import Minutiae
from fpmatch.parameters import TEMPLATE
from fpmatch.template import Template, quantise
from fpmatch.types import FingerPosition, Impression


def make(count: int = 40, seed: int = 0, *, field: bool = True) -> Template:
    rng = np.random.default_rng(seed)
    width, height = 388, 374
    shape = (-(-height // 16), -(-width // 16))
    return Template(
        xy=rng.integers(0, np.array([width, height]) * 8, (count, 2)).astype(np.uint16),
        angle=rng.integers(0, 65536, count).astype(np.uint16),
        kind=rng.integers(0, 3, count).astype(np.uint8),
        quality=rng.integers(0, 101, count).astype(np.uint8),
        width=width,
        height=height,
        position=FingerPosition.RIGHT_INDEX,
        impression=Impression.PLAIN,
        image_quality=63,
        extractor="classical-1",
        orientation=rng.integers(0, 256, shape).astype(np.uint8) if field else None,
    )


@given(st.integers(0, 255), st.integers(0, 2**32), st.booleans())
@settings(deadline=None)
def test_round_trip(count: int, seed: int, field: bool) -> None:
    template = make(count, seed, field=field)
    back = Template.from_bytes(template.to_bytes())
    assert back == template
    assert back.to_bytes() == template.to_bytes()
    assert hash(back) == hash(template)
    for name in ("xy", "angle", "kind", "quality"):
        assert (getattr(back, name) == getattr(template, name)).all()
    assert back.position is FingerPosition.RIGHT_INDEX
    assert (back.orientation is None) is (not field)


def test_forty_minutiae_fit_four_hundred_bytes_and_with_orientation_1300() -> None:
    assert len(make(field=False).to_bytes()) <= 400
    assert len(make().to_bytes()) <= 1300  # random cells do not compress: the worst case


def test_equality_sees_every_field() -> None:
    template = make()
    changed = [
        replace(template, angle=template.angle + np.uint16(1)),
        replace(template, kind=(template.kind + 1) % 3),
        replace(template, position=FingerPosition.LEFT_INDEX),
        replace(template, impression=Impression.ROLLED),
        replace(template, image_quality=64),
        replace(template, extractor="other"),
        replace(template, orientation=None),
        replace(template, width=390),
        replace(template, ridge_period=9.1),
        replace(template, ppi_source="recorded"),
    ]
    assert all(c != template for c in changed)
    assert len({template, *changed}) == len(changed) + 1
    assert template != "template"


@pytest.mark.parametrize(
    "change",
    [
        {"angle": np.zeros(3, np.uint16)},
        {"angle": np.zeros(40, np.int32)},
        {"xy": np.zeros((40, 3), np.uint16)},
        {"xy": np.full((40, 2), 60000, np.uint16)},
        {"kind": np.full(40, 3, np.uint8)},
        {"quality": np.full(40, 101, np.uint8)},
        {"width": 0},
        {"height": 9000},
        {"image_quality": 101},
        {"extractor": "x" * 32},
        {"extractor": "é"},
        {"orientation": np.zeros((3, 3), np.uint8)},
        {"ridge_period": 0.0},
        {"ridge_period": float("nan")},
        {"ridge_period": "9"},
        {"ppi_source": "guessed"},
        {"ppi_source": None},
        {"ppi_source": ["given"]},
    ],
    ids=str,
)
def test_wrong_content_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(TemplateError):
        replace(make(), **change)


@pytest.mark.parametrize("period", [None, 1.0, 9.123, 254.99])
@pytest.mark.parametrize("source", ["", "given", "recorded", "estimated"])
def test_what_the_image_said_of_its_resolution_is_kept(period: float | None, source: str) -> None:
    template = replace(make(), ridge_period=period, ppi_source=source)
    back = Template.from_bytes(template.to_bytes())
    assert back == template
    assert back.ppi_source == source
    assert back.ridge_period == (None if period is None else pytest.approx(period, abs=0.002))
    # Version 1 stays what it was for templates that know nothing of it.
    assert template.to_bytes()[3] == (2 if period or source else 1)
    data = template.to_bytes()
    for cut in range(1, 5):
        with pytest.raises(TemplateError):
            Template.from_bytes(data[:-cut])


def test_too_many_minutiae_are_refused() -> None:
    with pytest.raises(TemplateError, match="at most 255"):
        make(256)


def test_arrays_are_copied_and_read_only() -> None:
    template = make()
    with pytest.raises(ValueError, match="read-only"):
        template.xy[0, 0] = 1


@pytest.mark.parametrize("period", [None, 9.0])
def test_damage_is_always_noticed(period: float | None) -> None:
    good = replace(make(), ridge_period=period).to_bytes()
    rng = random.Random(5)
    for _ in range(2000):
        bad = bytearray(good)
        if rng.random() < 0.3:
            bad = bad[: rng.randrange(len(bad))]
        else:
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        with pytest.raises(TemplateError):
            Template.from_bytes(bytes(bad))


@pytest.mark.parametrize("period", [None, 9.0])
def test_damage_behind_a_valid_checksum_is_our_error_too(period: float | None) -> None:
    import zlib

    good = replace(make(), ridge_period=period).to_bytes()
    rng = random.Random(6)
    refused = 0
    for _ in range(2000):
        body = bytearray(good[8:])
        body[rng.randrange(len(body))] = rng.randrange(256)
        if rng.random() < 0.2:
            body = body[: rng.randrange(len(body))]
        data = good[:4] + zlib.crc32(body).to_bytes(4, "little") + body
        try:
            Template.from_bytes(data)
        except TemplateError:
            refused += 1
    assert refused > 200


def test_a_newer_version_says_so() -> None:
    data = bytearray(make().to_bytes())
    data[3] = 9
    with pytest.raises(TemplateError, match="version 9"):
        Template.from_bytes(bytes(data))


def test_repr_shows_no_coordinates() -> None:
    assert repr(make()) == "<Template RIGHT_INDEX, 40 minutiae, classical-1>"


def minutiae(count: int) -> Minutiae:
    rng = np.random.default_rng(count)
    field = rng.uniform(0, np.pi, (7, 7)).astype(np.float32)
    field[0] = np.nan
    return Minutiae(
        xy=rng.uniform(0, 100, (count, 2)).astype(np.float32),
        angle=rng.uniform(0, 2 * np.pi, count).astype(np.float32),
        kind=rng.integers(0, 3, count).astype(np.uint8),
        quality=rng.uniform(0, 1, count).astype(np.float32),
        shape=(100, 100),
        orientation=field,
        image_quality=50,
        extractor="test-1",
    )


def test_quantise_rounds_to_the_stored_units() -> None:
    source = minutiae(50)
    template = quantise(source, FingerPosition.LEFT_THUMB)
    inside = np.minimum(source.xy, 100 - 1 / TEMPLATE.subpixel)
    assert np.abs(template.xy / TEMPLATE.subpixel - inside).max() <= 0.5 / TEMPLATE.subpixel + 1e-6
    turn = template.angle.astype(float) * 2 * np.pi / TEMPLATE.turn
    assert np.abs(np.angle(np.exp(1j * (turn - source.angle)))).max() < 1e-4
    assert template.orientation is not None
    assert (template.orientation[0] == 0).all()
    back = (template.orientation[1:].astype(float) - 0.5) * np.pi / 255
    assert np.abs(back - source.orientation[1:]).max() < np.pi / 255
    assert template.position is FingerPosition.LEFT_THUMB


def test_quantise_keeps_the_best_minutiae_in_their_order() -> None:
    source = minutiae(300)
    template = quantise(source)
    assert len(template) == TEMPLATE.max_minutiae
    kept = np.sort(np.argsort(-source.quality, kind="stable")[:255])
    assert (template.kind == source.kind[kept]).all()
