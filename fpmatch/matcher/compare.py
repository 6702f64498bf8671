"""Two search forms -> a score; one search form and many -> raw scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import check_choice
from fpmatch.descriptor import PackedTemplates, SearchTemplate, encode, encode_scales
from fpmatch.errors import InputError
from fpmatch.matcher._kernels import Scratch, geometry, score_rows
from fpmatch.matcher.calibration import best_of, calibrate
from fpmatch.matcher.tables import TURNS, scratch, tables
from fpmatch.parameters import DESCRIPTOR
from fpmatch.template import Template
from fpmatch.types import Claim, claim_of
from fpmatch.types.checked import ROTATIONS as ROTATIONS
from fpmatch.types.checked import SCALES


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """The comparison of two impressions.

    Parameters
    ----------
    value : float
        -10 log10 of the false match rate, rounded to 0.01; see `calibrate` for its data.
    raw : int
        Before calibration.
    pairs : (P, 2) int64
        The minutiae that the score rests on: index in the probe, index in the candidate, each in
        its own `Template` order.
    """

    value: float
    raw: int
    pairs: NDArray[np.int64]

    @property
    def fmr(self) -> float:
        """Share of non-mated comparisons with this score or a higher one; see `claim`."""
        return self.claim.fmr

    @property
    def claim(self) -> Claim:
        """The false match rate, and whether it is one or a limit: where evidence ends."""
        return claim_of(self.value)

    @property
    def comparisons(self) -> int:
        """Non-mated comparisons that the scale rests on, and so every claim of a score."""
        return self.claim.comparisons

    def __float__(self) -> float:
        return self.value


def _search_form(side: Template | SearchTemplate) -> SearchTemplate:
    form = encode(side) if isinstance(side, Template) else side
    if not isinstance(form, SearchTemplate):
        raise InputError(f"expected a Template or SearchTemplate, not {type(side).__name__}")
    _check_size(len(form))
    return form


def _check_size(minutiae: int) -> None:
    if minutiae > DESCRIPTOR.max_minutiae:
        raise InputError(
            f"{minutiae} minutiae; a search form holds at most {DESCRIPTOR.max_minutiae}"
        )


def _geometry(form: SearchTemplate) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    m = len(form)
    distances = np.empty((m, m), np.int32)
    directions = np.empty((m, m), np.int32)
    geometry(form.x, form.y, tables().arctangent, distances, directions)
    return distances, directions


def _columns(form: SearchTemplate | PackedTemplates) -> tuple[NDArray, ...]:
    return form.codes, form.texture, form.x, form.y, form.angle


def turns_for(rotation: str) -> tuple[int, ...]:
    """The turns of a comparison, units of 1/256; refuses what is not in `ROTATIONS`."""
    return TURNS[check_choice("rotation", rotation, ROTATIONS)]


def compare(
    probe: Template | SearchTemplate,
    candidate: Template | SearchTemplate,
    *,
    rotation: str = "upright",
    scale: str = "stated",
) -> Score:
    """Compare two impressions.

    Pairs of minutiae with similar cylinder codes and orientation texture are assigned one to one
    and support each other as far as they fit the same motion (Cappelli, Ferrara, Maltoni 2010).
    Symmetric: exchanging the sides changes nothing but the order within `Score.pairs`. A side of
    fewer than `MATCHER.fewest` usable minutiae gives the lowest score.

    Parameters
    ----------
    probe, candidate : Template or SearchTemplate
    rotation : {"upright", "any"}
        "upright", the default, finds prints turned against each other by up to a quarter turn.
        "any" finds them at every angle: the best of four comparisons, with the probe turned by
        quarters. It takes four times as long, and is calibrated for the four: the same
        resemblance claims less.
    scale : {"stated", "any"}
        "stated", the default, believes both resolutions. "any" is for prints whose resolution is
        in doubt (photographs, screens): the best of five comparisons, with the probe at 0.82 to
        1.22 of its size (`fpmatch.parameters.SCALE`). The probe has to be a Template, which is
        encoded anew for each: a millisecond. The value is that of the best of five, so the same
        resemblance claims less; exchanging the sides may change it a little.

    Raises
    ------
    InputError
        If a side is no template, the rotation or the scale is not one of the two, or the probe of
        a comparison at any scale is no Template.

    Notes
    -----
    Integer arithmetic, so the same score on every machine and thread; safe to call from several
    threads.
    """
    turns = turns_for(rotation)
    b = _search_form(candidate)
    if check_choice("scale", scale, SCALES) == "stated":
        best, pairs = _best_turn(_search_form(probe), b, turns)
        return Score(float(calibrate(best, rotation)), best, pairs)
    if not isinstance(probe, Template):
        raise InputError("at any scale the probe has to be a Template: a search form has its scale")
    tried = [_best_turn(_search_form(form), b, turns) for form in encode_scales(probe)]
    best, pairs = max(tried, key=lambda found: found[0])
    return Score(float(best_of(calibrate(best, rotation), len(tried))), best, pairs)


def _best_turn(
    a: SearchTemplate, b: SearchTemplate, turns: tuple[int, ...]
) -> tuple[int, NDArray[np.int64]]:
    """Raw score and minutiae of the turn at which two prints resemble most."""
    distances, directions = _geometry(a)
    work = scratch(max(len(a), 1), max(len(b), 1))
    best, pairs = -1, np.zeros((0, 2), np.int64)
    # A gallery of one row, so that one kernel is compiled and not two of the same.
    offsets, row, out = np.array([0, len(b)]), np.zeros(1, np.int64), np.zeros(1, np.int32)
    for turn in turns:
        args = (_columns(a), distances, directions, _columns(b), offsets, row)
        score_rows(*args, tables(turned=turn), work, out)
        raw = int(out[0])
        if raw > best:
            best, pairs = raw, _pairs(a, b, work)
    return best, pairs


def _pairs(a: SearchTemplate, b: SearchTemplate, work: Scratch) -> NDArray[np.int64]:
    """The matched minutiae, or where there was no re-alignment the pairs chosen before it."""
    ia = np.nonzero(work.match_a[: len(a)] >= 0)[0]
    ib = work.match_a[ia]
    mutual = work.match_b[ib] == ia
    ia, ib = ia[mutual], ib[mutual]
    if not len(ia):
        chosen = np.nonzero(work.chosen)[0]
        ia, ib = work.pair_a[chosen], work.pair_b[chosen]
    pairs = np.stack([a.source[ia], b.source[ib]], axis=1).astype(np.int64)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def compare_many(
    probe: SearchTemplate,
    gallery: PackedTemplates,
    rows: NDArray[np.int64] | None = None,
    *,
    rotation: str = "upright",
) -> NDArray[np.int32]:
    """Raw scores of one search form against rows of a packed gallery.

    Parameters
    ----------
    probe : SearchTemplate
    gallery : PackedTemplates
    rows : (K,) int64, optional
        Rows to compare, in any order; all of them if None.
    rotation : {"upright", "any"}
        As in `compare`.

    Returns
    -------
    (K,) int32
        As `Score.raw`, in the order of `rows`. Releases the GIL; cost linear in K.
    """
    return Comparer(probe, rotation).scores(gallery, rows)


class Comparer:
    """One search form, ready to be compared with rows of any number of packed galleries.

    What belongs to the probe is worked out once, and memory to work in is taken once (1.3 MB). For
    one thread at a time.

    Parameters
    ----------
    probe : SearchTemplate
    rotation : {"upright", "any"}
        As in `compare`.

    Raises
    ------
    InputError
        If the probe is no search form or too large, or the rotation is not one of the two.
    """

    def __init__(self, probe: SearchTemplate, rotation: str = "upright") -> None:
        probe = _search_form(probe)
        self._turns = turns_for(rotation)
        self._probe = (_columns(probe), *_geometry(probe))
        self._work = scratch(DESCRIPTOR.max_minutiae, DESCRIPTOR.max_minutiae)

    def scores(
        self, gallery: PackedTemplates, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.int32]:
        """Raw scores against rows of a gallery; see `compare_many`.

        Parameters
        ----------
        gallery : PackedTemplates
        rows : (K,) int64, optional
            All of them if None.

        Returns
        -------
        (K,) int32
            In the order of `rows`.

        Raises
        ------
        InputError
            If a row has too many minutiae.
        IndexError
            If there is no such row.
        """
        if rows is None:
            rows = np.arange(len(gallery), dtype=np.int64)
        rows = np.ascontiguousarray(rows, np.int64)
        best = np.zeros(len(rows), np.int32)
        if not len(rows):
            return best
        if not (int(rows.min()) >= 0 and int(rows.max()) < len(gallery)):
            raise IndexError(f"rows must lie in 0..{len(gallery) - 1}")
        _check_size(int((gallery.offsets[rows + 1] - gallery.offsets[rows]).max()))
        columns = _columns(gallery)
        for turn in self._turns:
            out = np.zeros(len(rows), np.int32)
            score_rows(
                *self._probe, columns, gallery.offsets, rows, tables(turned=turn), self._work, out
            )
            best = np.maximum(best, out)
        return best
