"""One self-contained HTML page of an evaluation (extra ``[plot]``)."""

from __future__ import annotations

import base64
import io
import math
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from fpmatch.drawing import Drawing, draw, draw_pairs
from fpmatch.evaluate import conditions, plots
from fpmatch.parameters import EVALUATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from fpmatch.evaluate.extraction import Sample
    from fpmatch.evaluate.result import Evaluation

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#111;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.7rem;margin-bottom:.2rem}h2{font-size:1.25rem;margin-top:2.4rem}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .8rem;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child,table.text td,table.text th{text-align:left}
table:not(.text) td:not(:first-child){white-space:nowrap}thead th{border-bottom:2px solid #111}
tr.sum td{font-weight:600}figure{margin:1rem 0}figure img{max-width:100%;height:auto}
figcaption,.note{color:#444;font-size:.92rem}.key{display:flex;flex-wrap:wrap;gap:1rem 2.5rem}
.key b{display:block;font-size:1.5rem}
table.text td{overflow-wrap:anywhere}
@media (max-width:44rem){table:not(.text) thead{position:absolute;left:-99rem}
table:not(.text),table:not(.text) tbody,table:not(.text) tr,table:not(.text) td{display:block}
table:not(.text) tr{margin:0 0 1rem;border-top:2px solid #111}
table:not(.text) td{text-align:right;overflow:hidden}
table:not(.text) td::before{content:attr(data-head);float:left;color:#444;font-weight:400}
table:not(.text) td:first-child{text-align:left;font-weight:600;overflow-wrap:anywhere}
table:not(.text) td:first-child::before{content:""}th,td{padding:.25rem .4rem}}
@media print{body{max-width:none;margin:0;font-size:10.5pt}
tr,figure,.key div{break-inside:avoid}h1,h2{break-after:avoid}thead{display:table-header-group}
th,td{padding:.2rem .45rem}}
"""


_SCORES = (
    "Scores of all comparisons within folders. A score of 40 stands for one false match in 10 000 "
    "comparisons."
)
_THEIR_SCORES = "Scores of all comparisons within folders, on the matcher's own scale."


def render(evaluation: Evaluation) -> str:
    """The page as text: figures inlined, no script, nothing fetched.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    """
    parts = [
        _head(evaluation),
        "<h2>One to one</h2>",
        _database_table(evaluation),
        _image(
            plots.det(evaluation),
            "Detection error trade-off. Lower and further left is better. Rates below the "
            "smallest that the comparisons can resolve are drawn at the border.",
        ),
        _image(plots.equal_error_rates(evaluation), "Equal error rate of each database."),
        _image(
            plots.score_histograms(evaluation),
            _SCORES if evaluation.ours else _THEIR_SCORES,
        ),
        "<h2>One to many</h2>",
        _identification(evaluation),
        _image(
            plots.rank_curve(evaluation), "Cumulative match characteristic; ties count as misses."
        ),
        _image(
            plots.open_set(evaluation),
            "Misses against false alarms, one threshold for all searches.",
        ),
        f"<h2>{'What the matcher sees' if evaluation.ours else 'Typical and worst'}</h2>",
        *_prints(evaluation),
        _failures(evaluation),
        _conditions(evaluation),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Evaluation of {escape(evaluation.matcher)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _head(e: Evaluation) -> str:
    key = {
        "mean EER": _percent(e.mean.eer),
        "pooled FMR1000": _percent(e.pooled.fmr1000),
        "rank-1": _percent(e.rank1),
        "FNIR at FPIR 1 %": _percent(e.fnir_at_fpir_1pct),
        "failures to extract": f"{len(e.failures)} of {len(e.samples)}",
    }
    cells = "".join(f"<div>{escape(k)}<b>{escape(v)}</b></div>" for k, v in key.items())
    fingers = len({(s.database, s.finger) for s in e.samples})
    extractor = "" if e.extractor == "none" else f"extractor {escape(e.extractor)}, "
    return (
        f"<h1>Fingerprint matching: {escape(e.matcher)}</h1>\n<p class='note'>{len(e.names)} "
        f"folder{'s' * (len(e.names) != 1)}, {fingers} fingers, {len(e.samples)} impressions; "
        f"{extractor}"
        f"protocol {escape(e.protocol)}</p>\n<div class='key'>{cells}</div>"
    )


def _database_table(e: Evaluation) -> str:
    head = ("database", "EER", "interval", "FMR100", "FMR1000", "ZeroFMR", "mated", "non-mated")
    rows = []
    spans = {**e.intervals.databases, "mean": e.intervals.mean, "pooled": e.intervals.pooled}
    parts = {**e.databases, "mean": e.mean, "pooled": e.pooled}
    for name, m in parts.items():
        rates = [_percent(v) for v in (m.fmr100, m.fmr1000, m.zerofmr)]
        counts = [_count(m.mated), _count(m.nonmated)]
        rows.append([name, _percent(m.eer), _span(spans[name]["eer"]), *rates, *counts])
    note = (
        f"<p class='note'>Intervals: {EVALUATE.level:g} % bootstrap over fingers; of a rate "
        "without an error Clopper and Pearson's, which take comparisons to be independent. "
        "FMR100, FMR1000 and ZeroFMR are the lowest FNMR with FMR at most 1 %, at most 0.1 %, "
        "and none.</p>"
    )
    return _table(head, rows, summary=2) + note


def _identification(e: Evaluation) -> str:
    rows = [
        ["rank-1", _percent(e.rank1), _span(e.intervals.rank1)],
        [
            "FNIR at FPIR 1 %",
            _percent(e.fnir_at_fpir_1pct),
            _span(e.intervals.fnir_at_fpir_1pct),
        ],
    ]
    note = (
        f"<p class='note'>{len(e.gallery)} first impressions enrolled, {len(e.probes)} other "
        "impressions searched.</p>"
    )
    return _table(("figure", "value", "interval"), rows) + note


def _prints(e: Evaluation) -> list[str]:
    """A typical impression; a typical, the worst mated and the best non-mated comparison."""
    usable = [s for s in e.samples if s.template is not None]
    out = [_typical(e, usable)] if usable else []
    both = np.array(
        [not (e.samples[p].failed or e.samples[c].failed) for p, c in _indices(e)], np.bool_
    )
    mated = np.flatnonzero(e.pairs.mated & both)
    nonmated = np.flatnonzero(~e.pairs.mated & both)
    ranked = mated[np.argsort(e.pairs.score[mated], kind="stable")]
    if len(ranked):
        out.append(_comparison(e, int(ranked[len(ranked) // 2]), "A typical mated comparison"))
        out.append(_comparison(e, int(ranked[0]), "The mated comparison of lowest score"))
    if len(nonmated):
        top = int(nonmated[np.argmax(e.pairs.score[nonmated])])
        out.append(_comparison(e, top, "The non-mated comparison of highest score"))
    return out


def _typical(e: Evaluation, usable: Sequence[Sample]) -> str:
    sizes = [len(s.template) for s in usable if s.template is not None]
    middle = usable[int(np.argsort(sizes, kind="stable")[len(sizes) // 2])]
    return _drawing(
        draw(_load(middle), middle.template),  # type: ignore[arg-type]
        f"{_name(e, middle)}: an impression with a median number of minutiae.",
    )


def _comparison(e: Evaluation, pair: int, title: str) -> str:
    from fpmatch.matcher import compare

    a, b = e.samples[e.pairs.probe[pair]], e.samples[e.pairs.candidate[pair]]
    if not e.ours:
        # Nobody knows what another matcher's score rests on.
        value = f"score {e.pairs.score[pair]:.6g}"
        both = plots.two_images(_load(a), _load(b), f"{title}: {value}")
        return _image(both, f"{title}: {_name(e, a)} and {_name(e, b)}, {value}.")
    assert a.template is not None
    assert b.template is not None
    score = compare(a.template, b.template)
    drawn = draw_pairs(_load(a), a.template, _load(b), b.template, score, lines=True)
    rests = "It rests on the numbered pairs." if len(score.pairs) else "No minutiae are paired."
    return _drawing(
        drawn,
        f"{title}: {_name(e, a)} and {_name(e, b)}, score {score.value:.2f}, FMR {score.claim}. "
        f"{rests}",
    )


def _failures(e: Evaluation) -> str:
    if not e.failures:
        return "<h2>Failures to extract</h2><p>None.</p>"
    rows = [[_name(e, s), s.error] for s in e.failures]
    return "<h2>Failures to extract</h2>" + _table(("impression", "reason"), rows, text=True)


def _conditions(e: Evaluation) -> str:
    size = "-" if math.isnan(e.template_bytes_median) else f"{e.template_bytes_median:.0f} bytes"
    versions = ", ".join(f"{k} {v}" for k, v in conditions.versions().items())
    rows = [
        ["matcher", e.matcher],
        ["date", e.date],
        ["command", e.command or "called from Python"],
        ["data, SHA-256", e.data or "no files"],
        ["extraction, median", f"{e.extract_ms_median:.1f} ms of CPU"],
        ["comparison, median, non-mated, one thread", f"{e.compare_us_median:.1f} us of CPU"],
        ["stored template, median", size],
        ["machine", conditions.one_line()],
        ["versions", versions],
        ["parameters", conditions.parameter_hash()],
    ]
    return "<h2>Conditions</h2>" + _table(("condition", "value"), rows, text=True)


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], summary: int = 0, text: bool = False
) -> str:
    columns = "".join(f"<th>{escape(h)}</th>" for h in head)
    lines = [f"<table{' class=text' if text else ''}><thead><tr>{columns}</tr></thead><tbody>"]
    for i, row in enumerate(rows):
        mark = " class='sum'" if i >= len(rows) - summary else ""
        cells = "".join(
            f'<td data-head="{escape(h)}">{escape(c)}</td>' for h, c in zip(head, row, strict=True)
        )
        lines.append(f"<tr{mark}>{cells}</tr>")
    return "".join([*lines, "</tbody></table>"])


def _image(figure: Figure, caption: str) -> str:
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "fpmatch", "svg.image_inline": True}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, dpi=150)
    return _figure(buffer.getvalue(), caption)


def _drawing(drawing: Drawing, caption: str) -> str:
    return _figure(drawing.svg().encode(), caption)


def _figure(svg: bytes, caption: str) -> str:
    data = base64.b64encode(svg).decode()
    text = escape(caption)
    return (
        f'<figure><img alt="{text}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _load(sample: Sample) -> Any:
    from fpmatch.image import read_image

    return read_image(str(sample.path), ppi=sample.ppi)


def _indices(e: Evaluation) -> list[tuple[int, int]]:
    return list(zip(e.pairs.probe.tolist(), e.pairs.candidate.tolist(), strict=True))


def _name(e: Evaluation, sample: Sample) -> str:
    return f"{e.names[sample.database]} {sample.path.name}"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f} %"


def _count(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.0f}".replace(",", " ")


def _span(interval: tuple[float, float]) -> str:
    low, high = interval
    return "-" if math.isnan(low) else f"{low:.2f} to {high:.2f}"
