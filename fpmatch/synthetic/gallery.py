"""Galleries at scale: templates without images, by the million and in any order.

A finger is a flow from the same model as the image generator's, with minutiae scattered over it.
Ridges that spread must make room for new ones: if ridges of period T run along the unit field t,
minutiae pointing along t outnumber those pointing back by div(t) / T per area. So a finger's flow
decides where its minutiae crowd and which way they point; the remainder is an even background.
An impression of it drops, inserts, jitters and distorts, as an extractor and skin do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.errors import InputError
from fpmatch.parameters import SYNTHETIC, SYNTHETIC_GALLERY, TEMPLATE
from fpmatch.synthetic import _kernels
from fpmatch.synthetic.noise import stream
from fpmatch.synthetic.orientation import draw_class, draw_pattern, wander_knots
from fpmatch.synthetic.placement import draw_placement
from fpmatch.template import Template
from fpmatch.types import FingerPosition, Impression

_FINGER, _TOUCH = 32, 33
EXTRACTOR = "synthetic-gallery-1"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TemplateBatch:
    """Templates in columns.

    Parameters
    ----------
    offsets : (N + 1,) int64
        Template ``i`` has the minutiae ``offsets[i]:offsets[i + 1]``.
    xy : (T, 2) uint16, angle : (T,) uint16, kind : (T,) uint8, quality : (T,) uint8
        As in `Template`.
    orientation : (N, h, w) uint8
    image_quality : (N,) uint8
    width, height : int
    position : FingerPosition
    start : int
        Number of the first finger.
    """

    offsets: NDArray[np.int64]
    xy: NDArray[np.uint16]
    angle: NDArray[np.uint16]
    kind: NDArray[np.uint8]
    quality: NDArray[np.uint8]
    orientation: NDArray[np.uint8]
    image_quality: NDArray[np.uint8]
    width: int
    height: int
    position: FingerPosition
    start: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Template:
        a, b = int(self.offsets[row]), int(self.offsets[row + 1])
        return Template(
            xy=self.xy[a:b],
            angle=self.angle[a:b],
            kind=self.kind[a:b],
            quality=self.quality[a:b],
            width=self.width,
            height=self.height,
            position=self.position,
            impression=Impression.PLAIN,
            image_quality=int(self.image_quality[row]),
            extractor=EXTRACTOR,
            orientation=self.orientation[row],
        )

    def __iter__(self) -> Iterator[Template]:
        for row in range(len(self)):
            yield self[row]


def templates(
    count: int,
    seed: int,
    *,
    start: int = 0,
    impression: int = 0,
    position: FingerPosition = FingerPosition.UNKNOWN,
    batch: int = 1000,
) -> Iterator[Template]:
    """Templates of fingers ``start`` to ``start + count - 1`` of the population ``seed``.

    Any finger can be made alone: ``next(templates(1, seed, start=n))`` is the ``n``-th.

    Parameters
    ----------
    count, seed : int
    start : int
        First finger.
    impression : int
        Which touch of each finger; equal fingers with other numbers are mates.
    position : FingerPosition
        Written into the templates; the flow does not depend on it.
    batch : int
        Templates made at a time: memory is a few kilobytes each.

    Raises
    ------
    InputError
        If a number is negative, or the batch empty.

    Notes
    -----
    0.6 to 0.9 ms a template on one core. Streams; nothing is kept.
    """
    for part in batches(
        count, seed, start=start, impression=impression, position=position, batch=batch
    ):
        yield from part


def mates(
    count: int,
    seed: int,
    *,
    start: int = 0,
    impression: int = 1,
    position: FingerPosition = FingerPosition.UNKNOWN,
    batch: int = 1000,
) -> Iterator[Template]:
    """Second touches of the fingers that `templates` gives with the same arguments.

    Parameters
    ----------
    count : int
        Fingers.
    seed : int
        Same seed, same result.
    start : int
        Number of the first finger; each depends on the seed and its own number alone.
    impression : int
        Which touch of the finger.
    position : FingerPosition
        Written into the templates.
    batch : int
        Fingers made at a time; changes no finger.
    """
    return templates(
        count, seed, start=start, impression=impression, position=position, batch=batch
    )


@takes(count=int, seed=int)
def batches(
    count: int,
    seed: int,
    *,
    start: int = 0,
    impression: int = 0,
    position: FingerPosition = FingerPosition.UNKNOWN,
    batch: int = 1000,
) -> Iterator[TemplateBatch]:
    """As `templates`, in columns: what bulk enrolment and benchmarks take.

    Parameters
    ----------
    count : int
        Fingers.
    seed : int
        Same seed, same result.
    start : int
        Number of the first finger; each depends on the seed and its own number alone.
    impression : int
        Which touch of the finger.
    position : FingerPosition
        Written into the templates.
    batch : int
        Fingers made at a time; changes no finger.

    Raises
    ------
    InputError
        If a number is negative, or a batch has no finger.
    """
    if min(count, start, impression) < 0 or batch < 1:
        raise InputError(
            f"count {count}, start {start}, impression {impression}, batch {batch}: "
            "numbers from 0, and at least one a batch"
        )
    stream(seed)
    end = start + count
    return (
        make_batch(min(batch, end - first), seed, first, impression, position)
        for first in range(start, end, batch)
    )


def make_batch(
    count: int, seed: int, start: int, impression: int, position: FingerPosition
) -> TemplateBatch:
    """One batch; calls for different fingers may run on different threads or machines.

    Parameters
    ----------
    count : int
        Fingers.
    seed : int
        Same seed, same result.
    start : int
        Number of the first finger; each depends on the seed and its own number alone.
    impression : int
        Which touch of the finger.
    position : FingerPosition
        Written into the templates.
    """
    height, width = SYNTHETIC_GALLERY.image_shape
    cell = TEMPLATE.orientation_cell
    cells = np.empty((count, -(-height // cell), -(-width // cell)), np.uint8)
    qualities = np.empty(count, np.uint8)
    found = np.empty((TEMPLATE.max_minutiae, 5))
    skin = np.empty((400, 4))
    rows = []
    for i in range(count):
        n = _one(seed, start + i, impression, skin, found, cells[i])
        rows.append(found[:n].copy())
        qualities[i] = round(100 * float(found[:n, 4].mean())) if n else 0
    column = np.concatenate(rows) if rows else np.empty((0, 5))
    limit = np.array([width, height]) * TEMPLATE.subpixel - 1
    turn = np.rint(column[:, 2] * (TEMPLATE.turn / (2 * np.pi))).astype(np.int64)
    return TemplateBatch(
        offsets=np.cumsum([0, *(len(r) for r in rows)], dtype=np.int64),
        xy=np.clip(np.rint(column[:, :2] * TEMPLATE.subpixel), 0, limit).astype(np.uint16),
        angle=(turn % TEMPLATE.turn).astype(np.uint16),
        kind=column[:, 3].astype(np.uint8),
        quality=np.rint(100 * column[:, 4]).astype(np.uint8),
        orientation=cells,
        image_quality=qualities,
        width=width,
        height=height,
        position=position,
        start=start,
    )


def _one(
    seed: int,
    finger: int,
    impression: int,
    skin: NDArray[np.float64],
    found: NDArray[np.float64],
    cells: NDArray[np.uint8],
) -> int:
    """One touch of one finger into ``found`` and ``cells``; the number of minutiae."""
    model = SYNTHETIC_GALLERY
    shape = SYNTHETIC.master_shape
    rng = stream(seed, _FINGER, finger)
    pattern = draw_pattern(rng, draw_class(rng), shape).vector(shape)
    knots = wander_knots(rng, shape)
    period = float(np.clip(rng.normal(SYNTHETIC.period_mean, SYNTHETIC.period_sd), 7.2, 11.5))
    even = model.density * float(np.exp(rng.normal(0, model.density_spread)))
    scattering = np.array(
        [period, even, model.density_top, model.apart, model.off_flow, model.forced]
    )
    state = rng.integers(0, 2**64, 1, np.uint64)
    count = _kernels.scatter(state, pattern, knots, SYNTHETIC.wander_scale, scattering, skin)

    rng = stream(seed, _TOUCH, finger, impression)
    half = np.array(model.contact) * np.exp(rng.normal(0, model.contact_spread, 2))
    if rng.random() < model.glancing_share:
        half *= model.glancing_scale
    placement = draw_placement(
        rng,
        shape=model.image_shape,
        master_shape=shape,
        contact=(float(half[0]), float(half[1])),
        scale=model.placement,
        distortion=model.distortion,
        rotation=None,
    ).vector()
    outline = np.array([half[0], half[1], rng.uniform(2.1, 2.7)])
    state = rng.integers(0, 2**64, 1, np.uint64)
    _kernels.touch_cells(
        state, placement, outline, TEMPLATE.orientation_cell, model.cell_noise,
        pattern, knots, SYNTHETIC.wander_scale, cells,
    )  # fmt: skip
    return int(
        _kernels.touch_points(
            state, skin, count, placement, outline, np.array(model.image_shape),
            np.array(model.touch), pattern, knots, SYNTHETIC.wander_scale, found,
        )
    )  # fmt: skip
