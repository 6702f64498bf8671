"""The learned code of a minutia: what it sees, and that it tells mates from others."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.list_codes import fold
from fpmatch.descriptor import encode
from fpmatch.descriptor.tables import code_tables
from fpmatch.synthetic.gallery import templates
from training.list_code import ListCode, gather, inputs, learn, mates, touches

FINGERS = 400


@pytest.fixture(scope="module")
def gathered():
    return gather(*touches(0, FINGERS))


def bits_of(code: np.ndarray, count: int) -> np.ndarray:
    octets = np.ascontiguousarray(code, "<u8").view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little")[:, :count]


def test_it_sees_the_cylinder_that_the_code_was_chosen_from() -> None:
    """The set bits are the largest cells, but for equal ones and directions rounded to a byte."""
    for template in templates(20, 5):
        form = encode(template)
        if len(form) < 2 or len(template) > 64:
            continue
        cells = inputs(form)[:, :312].astype(int)
        bits = bits_of(form.codes, 312)
        least = np.sort(cells, axis=1)[:, -code_tables().weight]
        assert (cells[bits == 1] > 0).mean() > 0.98
        assert ((cells > least[:, None] + 3) & (bits == 0)).mean() < 0.002


def test_it_sees_the_texture_where_the_finger_is() -> None:
    form = encode(next(templates(1, 6)))
    texture = inputs(form)[:, 312:]
    valid = bits_of(form.texture[:, 2:], 52)
    for word in (0, 1):
        seen = texture[:, 52 * word : 52 * word + 52]
        signs = bits_of(form.texture[:, word : word + 1], 52)
        assert np.array_equal(np.sign(seen), (2 * signs.astype(int) - 1) * valid)


def test_moving_a_print_changes_nothing() -> None:
    form = encode(next(templates(1, 7)))
    moved = type(form)(
        **{n: getattr(form, n) for n in ("codes", "texture", "angle", "quality", "source")},
        x=form.x + np.uint16(40),
        y=form.y + np.uint16(24),
    )
    assert np.array_equal(inputs(moved), inputs(form))


def test_prints_that_do_not_match_have_no_mates() -> None:
    forms, _ = touches(0, 2)
    assert len(mates(forms, 0, 1)) == 0
    assert len(mates(forms, 0, 0)) == len(forms[0])


def test_fewer_projections_are_a_shorter_code(gathered) -> None:
    first, second, lists, couple = gathered
    long, short = (learn(first, second, lists, couple, bits) for bits in (96, 64))
    cut = ListCode(long.projections[:, :64], long.medians[:64])
    assert np.array_equal(short.of(first), cut.of(first))
    assert short.of(first).shape == (len(first), 1)


def test_it_tells_fingers_that_it_has_not_seen_better_than_the_folded_code(gathered) -> None:
    code = learn(*gathered, 96)
    forms, couples = touches(FINGERS, 60)
    recall = {}
    for name, of in (
        ("folded", lambda f: fold(f.codes)),
        ("learned", lambda f: code.of(inputs(f))),
    ):
        codes = [of(f) for f in forms]
        mated, other = [], []
        for n, (i, j) in enumerate(couples):
            pairs = mates(forms, i, j)
            mated.append(np.bitwise_count(codes[i][pairs[:, 0]] ^ codes[j][pairs[:, 1]]).sum(1))
            stranger = codes[couples[(n + 1) % len(couples)][1]]
            other.append(np.bitwise_count(codes[i][:, None] ^ stranger[None]).sum(2).ravel())
        limit = np.quantile(np.concatenate(other), 0.001)
        recall[name] = (np.concatenate(mated) <= limit).mean()
    assert recall["learned"] > recall["folded"] + 0.03
