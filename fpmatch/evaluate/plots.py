"""Figures of an evaluation (extra ``[plot]``), each readable without colour.

Colours are those of Okabe and Ito (2008); every curve also has its own line style or marker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.drawing.palette import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
)
from fpmatch.errors import MissingExtra
from fpmatch.evaluate.bootstrap import cmc_band, fnmr_band, fnmr_on
from fpmatch.evaluate.identification import cmc, open_set_counts
from fpmatch.evaluate.metrics import Comparisons
from fpmatch.parameters import EVALUATE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fpmatch.evaluate.result import Evaluation
    from fpmatch.image import FingerImage

CYCLE = (BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE, YELLOW, GREY)
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)), (0, (3, 3)))
_BAND_REPLICATES = 300
_FLOOR = 1e-4
"""Where a rate of zero is drawn on a logarithmic axis: below the frame."""


def new_figure(width: float, height: float, **layout: Any) -> Figure:
    """An empty figure without any global state.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise MissingExtra(
            "plots need matplotlib: install the extra with pip install 'fpmatch[plot]'"
        ) from error
    # Padding in inches: the default cuts the top of a title.
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=0.09), **layout)


def det(evaluation: Evaluation) -> Figure:
    """Detection error trade-off: each database, and all pooled with its interval."""
    pairs = evaluation.pairs
    if pairs.mated.all() or not pairs.mated.any():
        return _nothing("it takes mated and non-mated comparisons to draw a trade-off.")
    figure = new_figure(7.6, 5.2)
    axes = figure.add_subplot()
    least = 1 / max(int((~pairs.mated).sum()), 1)
    grid = np.geomspace(least, 1, 200)
    if len(evaluation.names) > 1:
        for i, name in enumerate(evaluation.names):
            here = pairs.database == i
            m, n = pairs.score[here & pairs.mated], pairs.score[here & ~pairs.mated]
            if len(m) and len(n):
                counts = Comparisons(m, n).counts()
                x, y = counts.fmr, counts.fnmr
                style: dict[str, Any] = {
                    "color": CYCLE[i % 8],
                    "linestyle": STYLES[i % 8],
                    "linewidth": 1.3,
                }
                axes.plot(_off_zero(x, least), _off_zero(y, _FLOOR), label=name, **style)
    _pooled(axes, evaluation, grid)
    axes.plot([1e-4, 1], [1e-4, 1], color=GREY, lw=0.8, zorder=0)
    left = max(least, 1e-6)
    note: dict[str, Any] = {"color": GREY, "fontsize": 8, "in_layout": False, "clip_on": True}
    axes.text(0.105, 0.115, "FMR = FNMR", rotation=38, **note)
    for rate, name in ((0.01, "FMR100"), (0.001, "FMR1000")):
        axes.axvline(rate, color=GREY, lw=0.8, ls=(0, (2, 2)), zorder=0)
        axes.annotate(name, (rate, 1), (3, -10), textcoords="offset points", **note)
    axes.set(xscale="log", yscale="log", xlim=(left, 1), ylim=(1e-3, 1))
    _percent(axes.xaxis)
    _percent(axes.yaxis)
    axes.set(xlabel="false match rate (FMR)", ylabel="false non-match rate (FNMR)")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def _pooled(axes: Axes, evaluation: Evaluation, grid: NDArray[np.float64]) -> None:
    """The pooled curve with its interval."""
    pairs = evaluation.pairs
    low, high = fnmr_band(
        evaluation.samples,
        pairs,
        grid,
        replicates=_BAND_REPLICATES,
        level=EVALUATE.level,
        seed=EVALUATE.seed,
    )
    low, high = np.maximum(low, _FLOOR), np.maximum(high, _FLOOR)
    label = f"pooled, {EVALUATE.level:g} % interval"
    axes.fill_between(grid, low, high, color=BLACK, alpha=0.14, linewidth=0, label=label)
    counts = Comparisons(pairs.score[pairs.mated], pairs.score[~pairs.mated]).counts()
    axes.plot(grid, _off_zero(fnmr_on(counts, grid), _FLOOR), color=BLACK, lw=2.4, label="pooled")


def equal_error_rates(evaluation: Evaluation) -> Figure:
    """EER of each database, their mean and the pooled EER, with intervals."""
    parts = {**evaluation.databases, "mean": evaluation.mean, "pooled": evaluation.pooled}
    spans = {
        **evaluation.intervals.databases,
        "mean": evaluation.intervals.mean,
        "pooled": evaluation.intervals.pooled,
    }
    if not any(np.isfinite(m.eer) for m in parts.values()):
        return _nothing("no equal error rate is defined.")
    figure = new_figure(7.6, 0.9 + 0.34 * len(parts))
    axes = figure.add_subplot()
    for y, (name, m) in enumerate(reversed(parts.items())):
        low, high = spans[name]["eer"]
        summary = name in ("mean", "pooled")
        color = BLACK if summary else BLUE
        axes.plot([low, high], [y, y], color=color, lw=2, alpha=0.55, solid_capstyle="butt")
        axes.plot(m.eer, y, marker="D" if summary else "o", color=color, ms=6, ls="")
        if np.isfinite(m.eer):
            axes.annotate(
                f"{m.eer:.2f}", (m.eer, y), (0, 5), textcoords="offset points", fontsize=8,
                ha="center",
            )  # fmt: skip
    axes.set_yticks(range(len(parts)), list(reversed(parts)))
    axes.set(xlabel=f"EER, %, with {EVALUATE.level:g} % interval over fingers")
    axes.set_ylim(-0.6, len(parts) - 0.3)
    axes.set_xlim(left=0)
    axes.grid(axis="x", alpha=0.25)
    return figure


def rank_curve(evaluation: Evaluation, depth: int = 10) -> Figure:
    """Cumulative match characteristic with its interval."""
    if not evaluation.searches.mated.any():
        return _nothing("no search with a mate in the gallery.")
    figure = new_figure(6.2, 3.8)
    axes = figure.add_subplot()
    ranks = np.arange(1, depth + 1)
    values = cmc(evaluation.searches, depth)
    low, high = cmc_band(
        evaluation.samples,
        evaluation.searches,
        evaluation.probes,
        depth,
        replicates=_BAND_REPLICATES,
        level=EVALUATE.level,
        seed=EVALUATE.seed,
    )
    label = f"{EVALUATE.level:g} % interval"
    axes.fill_between(ranks, low, high, color=BLUE, alpha=0.2, linewidth=0, label=label)
    axes.plot(ranks, values, color=BLUE, marker="o", ms=4.5, label="mate at or above the rank")
    for r in (1, depth):
        if np.isfinite(values[r - 1]):
            axes.annotate(
                f"{values[r - 1]:.2f} %", (r, values[r - 1]), (0, 7), fontsize=8,
                textcoords="offset points", ha="left" if r == 1 else "right",
            )  # fmt: skip
    bottom = np.nanmin(np.append(low, 99)) if len(low) else 0
    bottom = max(0.0, bottom - 1.0)
    axes.set_ylim(bottom, 100 + 0.12 * (100 - bottom))
    axes.set_yticks([t for t in axes.get_yticks() if bottom <= t <= 100])
    axes.set_xticks(ranks)
    axes.set(xlabel="rank", ylabel="searches, %")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="lower right", frameon=False)
    return figure


def open_set(evaluation: Evaluation) -> Figure:
    """Open-set identification: FNIR against FPIR."""
    searches = evaluation.searches
    if not searches.mated.any() or len(searches) < 2:
        return _nothing("fewer than two searches with a mate in the gallery.")
    figure = new_figure(6.2, 3.8)
    axes = figure.add_subplot()
    counts = open_set_counts(searches)
    least = 1 / counts.nonmated
    grid = np.geomspace(least, 1, 200)
    axes.plot(grid, 100 * fnmr_on(counts, grid), color=BLUE, lw=1.8)
    value = evaluation.fnir_at_fpir_1pct
    axes.plot(0.01, value, marker="D", color=VERMILION, ls="", ms=6)
    axes.annotate(
        f"FNIR {value:.2f} % at FPIR 1 %", (0.01, value), (8, 6), fontsize=9,
        textcoords="offset points",
    )  # fmt: skip
    axes.set(xscale="log", xlim=(least, 1))
    _percent(axes.xaxis)
    axes.set_ylim(0, max(axes.get_ylim()[1] * 1.15, 1))
    axes.set(xlabel="false positive identification rate (FPIR)", ylabel="FNIR, %")
    axes.grid(alpha=0.25)
    return figure


def score_histograms(evaluation: Evaluation) -> Figure:
    """Mated and non-mated scores of all comparisons within folders."""
    pairs = evaluation.pairs
    if not len(pairs):
        return _nothing("no comparisons.")
    figure = new_figure(9.4, 3.9)
    whole, detail = figure.subplots(1, 2)
    # The detail is where the two overlap: up to a little over the highest non-mated score.
    low, high = float(pairs.score.min()), float(pairs.score.max())
    others = pairs.score[~pairs.mated]
    overlap = min(high, 1.3 * float(others.max())) if len(others) else high
    _histogram(whole, evaluation, low, max(high, low + 1))
    _histogram(detail, evaluation, low, max(overlap, low + 1))
    whole.set_title("all scores", fontsize=10)
    detail.set_title("where they overlap", fontsize=10)
    whole.legend(fontsize=9, frameon=False)
    return figure


def _histogram(axes: Axes, evaluation: Evaluation, low: float, high: float) -> None:
    pairs = evaluation.pairs
    bins = _bins(pairs.score, low, high)
    kinds = ((~pairs.mated, ORANGE, "non-mated"), (pairs.mated, BLUE, "mated"))
    for which, color, name in kinds:
        count = f"{int(which.sum()):,}".replace(",", " ")
        axes.hist(
            pairs.score[which], bins=bins, histtype="stepfilled", facecolor=(color, 0.35),
            edgecolor=color, linewidth=1.2, label=f"{name} ({count})",
        )  # fmt: skip
    scale = "score, -10 log10(FMR)" if evaluation.ours else f"score of {evaluation.matcher}"
    axes.set(yscale="log", xlabel=scale, ylabel="comparisons (log scale)")
    axes.grid(alpha=0.25)


def _bins(scores: NDArray[np.float64], low: float, high: float) -> list[float]:
    """Sixty edges or so; between whole numbers where all scores are such, or bars would comb."""
    if high - low > 1 and (scores == np.rint(scores)).all():
        step = max(1, round((high - low) / 60))
        return (np.arange(low, high + step + 1, step) - 0.5).tolist()
    return np.linspace(low, high, 61).tolist()


def two_images(probe: FingerImage, candidate: FingerImage, title: str) -> Figure:
    """Two impressions side by side.

    Parameters
    ----------
    probe, candidate : FingerImage
        At 500 ppi.
    title : str
        Printed above.
    """
    figure = new_figure(8.6, 4.7)
    left, right = figure.subplots(1, 2)
    for axes, image, name in ((left, probe, "probe"), (right, candidate, "candidate")):
        axes.imshow(image.pixels, cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
        axes.set_axis_off()
        axes.set_title(name, fontsize=10)
    figure.suptitle(title, fontsize=11)
    return figure


def _nothing(reason: str) -> Figure:
    figure = new_figure(6.2, 0.8)
    figure.text(0.5, 0.5, f"Not drawn: {reason}", ha="center", va="center", color=GREY)
    return figure


def _off_zero(rates: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    return np.maximum(rates, least)


def _percent(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:g} %"))
