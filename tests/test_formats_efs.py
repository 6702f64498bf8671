"""The extended feature set of Type-9 records; every record here is made up."""

from __future__ import annotations

import numpy as np
import pytest
from format_cases import transaction

from fpmatch import formats
from fpmatch.errors import FormatError
from fpmatch.formats import ebts
from fpmatch.parameters import FORMATS
from fpmatch.types import FingerPosition, MinutiaType

PIXEL = 5.08
"""Hundredths of a millimetre."""
MARKED = ((508, 1016, 45, "E"), (1524, 508, 270, "B"), (762, 762, 0, "X"))
REGION = "2540\x1f3048\x1f254\x1f508"


def minutiae(*rows: tuple, rest: str = "") -> str:
    return "\x1e".join("\x1f".join(map(str, row)) + rest for row in rows)


def nine(fields: dict[int, str]) -> formats.Transaction:
    records = transaction().records
    made = formats.tagged(9, {2: "03", 3: "4", **dict(sorted(fields.items()))})
    return formats.read(formats.write(formats.Transaction((*records[:-1], made))))


def test_places_angles_types_and_position() -> None:
    fields = {300: REGION, 302: "7", 331: minutiae(*MARKED)}
    (template,) = formats.templates_of(nine(fields))
    expected = [[(254 + x) / PIXEL, (508 + y) / PIXEL] for x, y, _, _ in MARKED]
    assert np.abs(template.xy / 8 - expected).max() <= 1 / 16
    assert (template.width, template.height) == (550, 700)  # to the region's far corner
    turns = np.array([-45, -270, 0]) % 360
    assert np.abs(template.angle * (360 / 65536) - turns).max() < 0.01
    kinds = [MinutiaType.ENDING, MinutiaType.BIFURCATION, MinutiaType.OTHER]
    assert template.kind.tolist() == [int(kind) for kind in kinds]
    assert template.position is FingerPosition.LEFT_INDEX
    assert template.quality.tolist() == [0, 0, 0]


def test_the_same_print_in_m1_and_extended_fields_is_the_same_template() -> None:
    """Both point along the ridge and count from the upper left."""
    marked = [(508, 1016, 44, "E"), (1524, 508, 270, "B"), (762, 762, 8, "X")]
    sized = {128: "400", 129: "500", 130: "1", 131: "500", 132: "500"}
    pixels = "\x1e".join(
        f"{at}\x1f{round(x / PIXEL)}\x1f{round(y / PIXEL)}\x1f{angle // 2}\x1f1\x1f0"
        for at, (x, y, angle, _) in enumerate(marked, 1)
    )
    (m1,) = formats.templates_of(nine({**sized, 134: "2", 137: pixels}))
    (extended,) = formats.templates_of(nine({302: "2", 331: minutiae(*marked)}), size=(400, 500))
    assert np.array_equal(m1.xy, extended.xy)
    assert np.array_equal(m1.angle, extended.angle)


def test_what_an_examiner_marked_is_believed_before_what_else_is_there() -> None:
    standard = "001\x1f01000200045\x1f02\x1fA"
    both = nine({6: "2", 12: standard, 302: "7", 331: minutiae(*MARKED)})
    (template,) = formats.templates_of(both)
    assert len(template) == 3
    assert template.position is FingerPosition.LEFT_INDEX


def test_a_minutia_without_a_direction_is_left_out() -> None:
    rows = [(*MARKED[0], 20, 180), (*MARKED[1], "", 15), (*MARKED[2], 20)]
    (template,) = formats.templates_of(nine({331: minutiae(*rows)}))
    assert template.kind.tolist() == [int(MinutiaType.BIFURCATION), int(MinutiaType.OTHER)]


@pytest.mark.parametrize(
    ("said", "position"),
    [
        ("2", FingerPosition.RIGHT_INDEX),
        ("2\x1fDST", FingerPosition.RIGHT_INDEX),
        ("11", FingerPosition.RIGHT_THUMB),
        ("2\x1fDST\x1f\x1f1,1-5,5-9,1\x1e3", FingerPosition.UNKNOWN),
        ("0", FingerPosition.UNKNOWN),
    ],
)
def test_position(said: str, position: FingerPosition) -> None:
    (template,) = formats.templates_of(nine({302: said, 331: minutiae(*MARKED)}))
    assert template.position is position


@pytest.mark.parametrize("said", ["18", "19", "25", "2\x1e25", "61"])
def test_of_no_finger(said: str) -> None:
    content = nine({302: said, 331: minutiae(*MARKED)})
    assert formats.templates_of(content) == []
    _, passed_over = ebts.fingers_of(content)
    assert any("9.302" in why and "is no single finger" in why for why in passed_over)


@pytest.mark.parametrize(
    "fields",
    [
        {331: ""},
        {331: "\x1e"},
        {331: "1\x1f2\x1f3"},
        {331: "1\x1f2\x1f3\x1fA"},
        {331: "1\x1f2\x1f3\x1f"},
        {331: "-1\x1f2\x1f3\x1fE"},
        {331: "1\x1f2\x1f361\x1fE"},
        {331: "1\x1f2.5\x1f3\x1fE"},
        {331: "123456\x1f2\x1f3\x1fE"},
        {331: "99999\x1f2\x1f3\x1fE"},
        {331: "1\x1f2\x1f3\x1fE\x1f\x1f181"},
        {331: "1\x1f2\x1f3\x1fE\x1f\x1fx"},
        {300: "", 331: minutiae(*MARKED)},
        {300: "100", 331: minutiae(*MARKED)},
        {300: "a\x1f100", 331: minutiae(*MARKED)},
        {300: "50000\x1f50000", 331: minutiae(*MARKED)},
        {300: "100\x1f100\x1f41600\x1f0", 331: minutiae(*MARKED)},
    ],
)
def test_what_is_malformed_is_refused_with_its_place(fields: dict[int, str]) -> None:
    content = nine(fields)
    with pytest.raises(FormatError) as caught:
        formats.templates_of(content)
    number = 300 if 300 in fields else 331
    assert caught.value.at == content.records[-1].get(number).at > 0


def test_the_farthest_place_that_is_read_makes_a_template() -> None:
    region = {300: "100\x1f100\x1f41000\x1f41000"}
    (template,) = formats.templates_of(nine({**region, 331: minutiae((605, 605, 0, "E"))}))
    assert template.width <= 8191


def test_a_mirrored_print_is_that_of_no_finger() -> None:
    fields = {315: "L", 331: minutiae(*MARKED)}
    with pytest.raises(FormatError, match="mirrored"):
        formats.templates_of(nine(fields))
    assert len(formats.templates_of(nine({**fields, 315: "U"}))) == 1


def test_a_flood_of_minutiae_is_refused() -> None:
    rows = MARKED[:1] * (FORMATS.max_minutiae + 1)
    with pytest.raises(FormatError, match=f"minutia {FORMATS.max_minutiae + 1} "):
        formats.templates_of(nine({331: minutiae(*rows)}))
