"""Minutiae drawn on their image, and the paired minutiae of a comparison (extra ``[plot]``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fpmatch.evaluate.plots import BLACK, BLUE, GREEN, VERMILION, _bare, new_figure
from fpmatch.parameters import TEMPLATE
from fpmatch.types import MinutiaType

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fpmatch.image import FingerImage
    from fpmatch.matcher import Score
    from fpmatch.template import Template

_STROKE = 11.0
"""Length of a direction stroke, pixels at 500 ppi."""
_KINDS = (
    (MinutiaType.ENDING, "o", VERMILION, "ending"),
    (MinutiaType.BIFURCATION, "s", BLUE, "bifurcation"),
    (MinutiaType.OTHER, "^", GREEN, "other"),
)


def minutiae_overlay(image: FingerImage, template: Template) -> Figure:
    """The image alone and with its minutiae: marker for the type, stroke for the direction."""
    figure = new_figure(8.6, 4.6)
    plain, drawn = figure.subplots(1, 2)
    for axes, title in ((plain, "image"), (drawn, f"{len(template)} minutiae")):
        _show(axes, image.pixels)
        axes.set_title(title, fontsize=10)
    for kind, marker, color, label in _KINDS:
        _mark(drawn, template, np.flatnonzero(template.kind == kind), marker, color, label)
    handles, labels = drawn.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside lower center", ncols=3, fontsize=9, frameon=False
        )
    return figure


def paired_minutiae(
    probe_image: FingerImage,
    probe: Template,
    candidate_image: FingerImage,
    candidate: Template,
    score: Score,
    title: str = "",
) -> Figure:
    """Two impressions side by side with the minutiae the score rests on, numbered and joined.

    Parameters
    ----------
    probe_image : FingerImage
        At 500 ppi.
    probe : Template
        Extracted from it.
    candidate_image : FingerImage
        At 500 ppi.
    candidate : Template
        Extracted from it.
    score : Score
        With its pairs.
    title : str
        Printed above.
    """
    from matplotlib.patches import ConnectionPatch

    figure = new_figure(8.6, 4.7)
    left, right = figure.subplots(1, 2)
    sides = (
        (left, probe_image, probe, score.pairs[:, 0], "probe"),
        (right, candidate_image, candidate, score.pairs[:, 1], "candidate"),
    )
    for axes, image, template, chosen, name in sides:
        _show(axes, image.pixels)
        rest = np.setdiff1d(np.arange(len(template)), chosen)
        _mark(axes, template, rest, "o", "#707070", "", width=0.8)
        _mark(axes, template, chosen, "o", VERMILION, "", width=1.6)
        axes.set_title(f"{name}: {len(template)} minutiae", fontsize=10)
    a, b = _pixels(probe), _pixels(candidate)
    for number, (i, j) in enumerate(score.pairs, 1):
        figure.add_artist(
            ConnectionPatch(
                a[i], b[j], "data", "data", axesA=left, axesB=right, color=BLUE, lw=0.7, alpha=0.75
            )
        )
        for axes, (x, y) in ((left, a[i]), (right, b[j])):
            axes.annotate(
                str(number), (x, y), (4, 4), textcoords="offset points", fontsize=7.5,
                color=BLACK, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )  # fmt: skip
    summary = f"score {score.value:.2f}, FMR {score.claim}, {len(score.pairs)} paired minutiae"
    figure.suptitle(f"{title}: {summary}" if title else summary, fontsize=11)
    return figure


def _show(axes: Axes, pixels: NDArray[np.uint8]) -> None:
    # Lightened, so that the marks stand out from the ridges.
    axes.imshow(pixels, cmap="gray", vmin=-90, vmax=255, interpolation="bilinear")
    _bare(axes)


def _pixels(template: Template) -> NDArray[np.float64]:
    return template.xy.astype(np.float64) / TEMPLATE.subpixel


def _mark(
    axes: Axes,
    template: Template,
    which: NDArray[np.int64],
    marker: str,
    color: str,
    label: str,
    width: float = 1.3,
) -> None:
    if not len(which):
        return
    xy = _pixels(template)[which]
    turn = template.angle[which].astype(np.float64) * (2 * np.pi / TEMPLATE.turn)
    tip = xy + _STROKE * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    axes.plot(
        *xy.T, ls="", marker=marker, ms=5.5, mfc="none", mec=color, mew=width, label=label or None
    )
    axes.plot(
        np.stack([xy[:, 0], tip[:, 0]]), np.stack([xy[:, 1], tip[:, 1]]), color=color, lw=width
    )
