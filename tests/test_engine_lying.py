"""How prints may lie: searches at any rotation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from engine_helpers import KEEPS, LATER, engine, print_of, record, request

from fpmatch.descriptor import encode, pack
from fpmatch.errors import InputError
from fpmatch.index import PartitionIndex
from fpmatch.matcher import compare
from fpmatch.synthetic.gallery import mates, templates
from fpmatch.types import FingerPosition


def turned(template, quarters=2):
    """The same print with the finger turned on the sensor by quarter turns, clockwise."""
    w, h = template.width, template.height
    for _ in range(quarters):
        x, y = template.xy[:, 0].astype(np.int64), template.xy[:, 1].astype(np.int64)
        template = dataclasses.replace(
            template,
            xy=np.stack([8 * h - 1 - y, x], axis=1).astype(np.uint16),
            angle=(template.angle.astype(np.int64) + 16384).astype(np.uint16),
            width=h,
            height=w,
            orientation=None,
        )
        w, h = h, w
    return template


def names(section):
    return [c.record for c in section.candidates if c.score >= 50]


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_finger_is_found_where_that_is_asked_for(quarters):
    with engine() as e:
        finger = turned(print_of(1, 5), quarters)
        for rotation, found in (("upright", []), ("any", ["C-1"])):
            response = e.search(request(fingers=[finger], rotation=rotation))
            if quarters == 2 or rotation == "any":
                assert names(response["criminal"]) == found
        upright = e.search(request(rotation="any"))["criminal"].candidates[0].score
        assert response["criminal"].candidates[0].score == upright


@pytest.mark.parametrize("rotation", ["upright", "any"])
def test_candidates_and_notes_have_the_scale_of_their_rotation(rotation):
    finger, held = print_of(1, 5), print_of(1)
    other = dataclasses.replace(finger, position=FingerPosition.LEFT_INDEX)
    expected = compare(finger, held, rotation=rotation).value
    assert (expected < compare(finger, held).value) == (rotation == "any")
    with engine() as e:
        (first, *_) = e.search(request(fingers=[finger], rotation=rotation))["criminal"].candidates
        assert (first.record, first.score) == ("C-1", expected)
        (note,) = e.search(request(fingers=[finger, other], rotation=rotation)).notes
        assert note.score == compare(finger, other, rotation=rotation).value


def test_searches_of_one_list_keep_their_own_rotation():
    with engine() as e:
        asked = [
            request(fingers=[turned(print_of(person, 5))], rotation=rotation)
            for person in (1, 2)
            for rotation in ("upright", "any")
        ]
        got = [names(r["criminal"]) for r in e.search_many(asked)]
        assert got == [[], ["C-1"], [], ["C-2"]]


def test_a_kept_probe_keeps_its_rotation():
    with engine() as e:
        finger = turned(print_of(1, 5))
        first = e.search(request(LATER, fingers=[finger], rotation="any"))
        later = e.report_event(first["immigration"].token, "CONVICTION")
        assert names(later["immigration"]) == ["I-1"]
        e.search(request(KEEPS, fingers=[turned(print_of(9, 5))], rotation="any", retain=True))
        e.enrol("immigration", [record("I-9", 9)])
        (again,) = e.cascade("immigration")
        assert names(again["immigration"]) == ["I-9"]
        intents = [r.fields["rotation"] for r in e.audit.records(kind="INTENT")]
        assert intents == ["any"] * 4


def test_a_rotation_that_is_none_is_refused_before_anything_is_logged():
    with engine() as e:
        for wrong in ("", "Any", 180, None, ["any"]):
            with pytest.raises(InputError, match="rotation"):
                e.search(request(rotation=wrong))
        assert not list(e.audit.records(kind="INTENT"))


@pytest.mark.parametrize("effort", ["balanced", "scan"])
def test_shortlists_find_turned_mates(tmp_path, small, effort):
    rows = np.arange(120)
    probes = [encode(turned(t)) for t in mates(12, 31)]
    with PartitionIndex.create(tmp_path / "i", expected_fingers=1000) as index:
        index.add(rows, pack([encode(t) for t in templates(120, 31)]), np.zeros(120, np.uint8))
        index.flush()

        def right(rotation):
            search = index.begin(effort=effort, rotation=rotation)
            found = [search.shortlist(p) for p in probes]
            together = search.shortlist_many(probes)
            assert all((a.row_ids == b.row_ids).all() for a, b in zip(found, together, strict=True))
            return sum(n in f.row_ids[:1] for n, f in enumerate(found))

        assert right("upright") <= 3
        assert right("any") >= 9
        with pytest.raises(InputError, match="rotation"):
            index.begin(rotation="round")
