"""Sketches of minutiae: what they see, their plain twin, and that they tell mates from others."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from without_compilation import passes_without_compilation

from fpmatch.descriptor import PackedTemplates, SearchTemplate, encode, pack
from fpmatch.descriptor._kernels import ROOT, SHIFT, SIGN
from fpmatch.descriptor.sketch import (
    NAME,
    SEEN,
    Projections,
    read_projections,
    shipped,
    sketch,
    sketch_hash,
    surroundings,
    write_projections,
)
from fpmatch.descriptor.tables import cell_centres, code_tables
from fpmatch.errors import CorruptError
from fpmatch.jit import jit_enabled
from fpmatch.synthetic.gallery import templates
from training.sketch import gather, learn, mates, touches

FINGERS = 400
COUNT = 20 if jit_enabled() else 2
compiled = pytest.mark.skipif(not jit_enabled(), reason="takes minutes without compilation")


def forms_of(count: int, seed: int) -> list[SearchTemplate]:
    return [encode(t) for t in templates(count, seed)]


def bits_of(words: np.ndarray, count: int) -> np.ndarray:
    octets = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little")[:, :count]


def seen_by(form: SearchTemplate, a: int) -> list[int]:
    """What is projected of a minutia, cell by cell from the definition."""
    tables = code_tables()
    turn = int(form.angle[a]) * 4
    c, s = int(tables.cosine[turn]), int(tables.sine[turn])
    reach = int(tables.axis[-1]) + len(tables.gauss)
    cells = np.zeros((len(cell_centres()), 6), np.int64)
    for b in range(len(form)):
        dx, dy = (int(v[b]) - int(v[a]) for v in (form.x, form.y))
        u, v = (c * dx + s * dy + 8192) // 16384, (c * dy - s * dx + 8192) // 16384
        if b == a or abs(u) >= reach or abs(v) >= reach:
            continue
        away = (int(form.angle[a]) - int(form.angle[b])) % 256
        for n, (_, _, number) in enumerate(cell_centres().tolist()):
            row, column = divmod(number, 8)
            near = weight(tables, row, v) * weight(tables, column, u) // 256
            cells[n] += near * tables.section[away]
    out = [round(ROOT * math.sqrt(min(int(k) >> SHIFT, 255))) for k in cells.ravel()]
    for word in range(2):
        for k in range(52):
            bit, there = (int(form.texture[a, w]) >> k & 1 for w in (word, 2))
            out.append(SIGN * (2 * bit - 1) * there)
    return out


def weight(tables, k: int, where: int) -> int:
    away = abs(int(tables.axis[k]) - where)
    return int(tables.gauss[away]) if away < len(tables.gauss) else 0


def test_what_it_sees_is_its_definition() -> None:
    forms = forms_of(COUNT, 5)
    seen = surroundings(pack(forms))
    expected = [seen_by(form, a) for form in forms for a in range(len(form))]
    assert seen.shape == (sum(map(len, forms)), SEEN)
    assert (seen == np.array(expected)).all()
    assert np.abs(seen).max() <= 127


def test_a_sketch_is_the_signs_of_projections() -> None:
    forms = pack(forms_of(COUNT, 6))
    made = shipped()
    above = surroundings(forms).astype(np.int64) @ made.weights.astype(np.int64) > made.medians
    assert (bits_of(sketch(forms), 96) == above).all()


def test_a_row_is_sketched_alike_in_any_company() -> None:
    forms = forms_of(COUNT, 7)
    together = sketch(pack(forms))
    assert (together == np.concatenate([sketch(pack([f])) for f in forms])).all()
    empty = pack([forms[0]][:0])
    assert sketch(empty).shape == (0, 3)


def test_it_sees_the_cylinder_that_the_code_was_chosen_from() -> None:
    """The set bits are the largest cells, but for equal ones and directions rounded to a byte."""
    for template in templates(COUNT, 5):
        form = encode(template)
        if len(form) < 2 or len(template) > 64:
            continue
        cells = surroundings(pack([form]))[:, :312]
        bits = bits_of(form.codes, 312)
        least = np.sort(cells, axis=1)[:, -code_tables().weight]
        assert (cells[bits == 1] > 0).mean() > 0.98
        assert ((cells > least[:, None] + 3) & (bits == 0)).mean() < 0.002


def test_moving_a_print_changes_nothing() -> None:
    form = forms_of(1, 7)[0]
    moved = type(form)(
        **{n: getattr(form, n) for n in ("codes", "texture", "angle", "quality", "source")},
        x=form.x + np.uint16(40),
        y=form.y + np.uint16(24),
    )
    assert np.array_equal(sketch(pack([moved])), sketch(pack([form])))


@pytest.mark.parametrize("seed", range(4))
def test_any_columns_are_sketched_within_bounds(seed) -> None:
    """Also what no encoder makes: a foreign search form may hold any numbers."""
    rng = np.random.default_rng(seed)
    count = 30
    forms = PackedTemplates(
        offsets=np.array([0, count]),
        codes=np.zeros((count, 5), np.uint64),
        texture=rng.integers(0, 2**64, (count, 3), np.uint64),
        x=rng.choice(np.array([0, 1, 700, 1430, 65535], np.uint16), count),
        y=rng.choice(np.array([0, 1, 700, 1430, 65535], np.uint16), count),
        angle=np.sort(rng.integers(0, 256, count).astype(np.uint8)),
        quality=np.zeros(count, np.uint8),
        source=np.zeros(count, np.uint8),
    )
    seen = surroundings(forms)
    assert seen[0].tolist() == seen_by(forms[0], 0)
    assert sketch(forms).any()


def test_damaged_projections_are_refused(tmp_path) -> None:
    source = Path(str(resources.files("fpmatch.descriptor"))) / "data" / NAME
    with np.load(source) as file:
        arrays = {name: file[name] for name in file.files}
    changed = arrays | {"medians": arrays["medians"] + np.int32(1)}
    np.savez(tmp_path / NAME, **changed)
    with pytest.raises(CorruptError, match="checksum"):
        read_projections(tmp_path / NAME)
    np.savez(tmp_path / NAME, **(arrays | {"descriptor": "other"}))
    with pytest.raises(CorruptError, match="descriptor"):
        read_projections(tmp_path / NAME)
    again = read_projections(write_projections(tmp_path, shipped()))
    assert again.sha256.startswith(sketch_hash())


@compiled
def test_prints_that_do_not_match_have_no_mates() -> None:
    forms, _ = touches(0, 2)
    assert len(mates(forms, 0, 1)) == 0
    assert len(mates(forms, 0, 0)) == len(forms[0])


def recall_of(of) -> float:
    """Share of mated minutiae nearer than all but one in a thousand of others, unseen fingers."""
    forms, couples = touches(FINGERS, 60)
    found = [of(f) for f in forms]
    mated, other = [], []
    for n, (i, j) in enumerate(couples):
        pairs = mates(forms, i, j)
        mated.append(np.bitwise_count(found[i][pairs[:, 0]] ^ found[j][pairs[:, 1]]).sum(1))
        stranger = found[couples[(n + 1) % len(couples)][1]]
        other.append(np.bitwise_count(found[i][:, None] ^ stranger[None]).sum(2).ravel())
    limit = np.quantile(np.concatenate(other), 0.001)
    return float((np.concatenate(mated) <= limit).mean())


@compiled
def test_96_bits_tell_fingers_better_than_the_code_of_312() -> None:
    assert recall_of(lambda f: sketch(pack([f]))) > recall_of(lambda f: f.codes) + 0.01


@compiled
def test_learning_finds_better_projections_than_chance() -> None:
    learned = learn(*gather(*touches(0, FINGERS)))
    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, learned.weights.shape).astype(np.int8)
    seen = surroundings(pack(forms_of(50, 9))).astype(np.int64) @ weights.astype(np.int64)
    chance = Projections(weights, np.median(seen, axis=0).astype(np.int32))
    by = {
        made: recall_of(lambda f, made=made: sketch(pack([f]), made)) for made in (learned, chance)
    }
    assert by[learned] > by[chance] + 0.1


def test_without_compilation() -> None:
    passes_without_compilation(__file__)
