"""One self-contained HTML page for an examiner: candidates, their paired minutiae, the proof.

No script, nothing fetched; whatever comes from outside is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from fpmatch.argument_types import takes
from fpmatch.checks import check_several, quoted
from fpmatch.drawing import Drawing
from fpmatch.errors import InputError
from fpmatch.examiner.evidence import Evidence, PartitionEvidence, evidence_of
from fpmatch.examiner.figures import Comparison, Print, Prints, comparison_of, probe_drawing
from fpmatch.examiner.style import STYLE
from fpmatch.image import FingerImage
from fpmatch.parameters import CALIBRATION
from fpmatch.search import Engine
from fpmatch.template import Template
from fpmatch.types import (
    Candidate,
    FingerScore,
    Impression,
    PartitionResult,
    Reason,
    SearchResponse,
)

NEVER = (
    "This page gives candidates, never identities. A candidate is a record worth a trained "
    "examiner's look. A score says how rarely prints of different fingers resemble each other as "
    "much; it does not say whose print this is, and no score decides about a person."
)
OUTCOMES = {
    "SEARCHED_DISCLOSED": "Searched.",
    "SEARCHED_WITHHELD": "Searched; the result goes to the partition's owner alone.",
    "NOT_SEARCHED": "Not searched: nothing of it was compared.",
    "DEFERRED": "Not searched yet: it waits for an event.",
    "DEFERRED_CANCELLED": "Never searched: the event came and the policy said no.",
    "REFUSED": "Refused.",
    "FAILED": "The search failed.",
}
IN_PART = (
    "Searched in part: the search was not completed, and what was not compared may hold candidates "
    "too."
)
HIDDEN = "The policy does not let the submitter know whether this partition was searched."
LABELS = {
    "cri": "agency", "chain": "passed through", "transaction": "transaction", "purpose": "purpose",
    "role": "role", "charge": "charge", "effort": "effort", "rotation": "rotation",
    "scale": "scale",
    "permissions": "permissions", "reason": "reason", "rules": "rules", "authority": "authority",
    "agreement": "agreement", "legal_basis": "legal basis",
}  # fmt: skip


@takes(response=SearchResponse, engine=(Engine, type(None)), prints=Mapping)
def render(
    response: SearchResponse,
    *,
    engine: Engine | None = None,
    agency: str | None = None,
    probes: Sequence[Print] = (),
    prints: Prints | None = None,
) -> str:
    """The page as text.

    Parameters
    ----------
    response : SearchResponse
        Of a search, or read back by `fpmatch.types.read_response`.
    engine : Engine, optional
        The gallery that gave it: its log then adds who asked, the decisions and the proofs. Of a
        partition that is hidden from the submitter nothing is added.
    agency : str, optional
        ORI of who submitted; needed where several agencies used the number.
    probes : sequence of FingerImage or Template
        The submission's prints, in its order.
    prints : mapping
        Prints of candidates, by record or by record and number of the impression; a gallery keeps
        no pictures. Without one the minutiae lie on blank paper.

    Raises
    ------
    InputError
        If a print is of another size than the impression that was compared, the log has no such
        search or says something else of it, or a value cannot be used.
    AuditError
        If the log does not verify.
    """
    held = dict(prints or {})
    for one in (*check_several("probes", probes, most=10_000), *held.values()):
        if not isinstance(one, FingerImage | Template):
            raise InputError(f"a print is a FingerImage or a Template, not {quoted(one)}")
    known = {c.record for section in response for c in section.candidates or ()}
    for key in held:
        name = key[0] if isinstance(key, tuple) else key
        if name not in known:
            raise InputError(f"the response lists no candidate {quoted(name)}")
    evidence = None if engine is None else evidence_of(engine, response, agency)
    parts = [
        f"<h1>Candidates of search {_text(response.tcn)}</h1>",
        f'<p class="claim">{escape(NEVER)}</p>',
        _asked(response, evidence),
        *_probes(probes),
        *(_section(section, evidence, probes, held) for section in response),
        _log(evidence),
        _scale(),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Candidates of search {_text(response.tcn)}</title><style>{STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _asked(response: SearchResponse, evidence: Evidence | None) -> str:
    rows: list[tuple[str, Any]] = [("policy version", response.policy_version)]
    if evidence is not None:
        rows = [
            ("asked at", evidence.time),
            *((LABELS[name], value) for name, value in evidence.asked.items()),
            *rows,
            ("lowest score listed", f"{evidence.threshold:.2f}"),
        ]
    notes = "".join(f"<p>Note: {_text(note.text)}.</p>" for note in response.notes)
    return _facts(rows) + notes


def _probes(probes: Sequence[Print]) -> list[str]:
    if not probes:
        return []
    figures = [_figure(probe_drawing(p, i)) for i, p in enumerate(probes)]
    return ["<h2>The probe</h2>", f'<div class="pair">{"".join(figures)}</div>']


def _section(
    section: PartitionResult, evidence: Evidence | None, probes: Sequence[Print], prints: Prints
) -> str:
    name = section.partition
    hidden = section.reason is Reason.NOT_DISCLOSED
    said = HIDDEN if hidden else OUTCOMES[section.outcome.value]
    if not section.complete:
        said = IN_PART
    found = None if evidence is None else evidence.partitions.get(name)
    parts = [
        f"<h2>Partition {_text(name)}</h2>",
        f"<p><strong>{escape(said)}</strong> Reason: {_text(section.reason.value)}.</p>",
    ]
    if section.coverage is not None and not section.coverage.whole:
        parts.append(f"<p>Compared: {escape(section.coverage.text)}.</p>")
    if section.candidates is not None:
        parts.append(_list(section.candidates, whole=section.complete))
    for rank, candidate in enumerate(section.candidates or (), 1):
        parts.append(_candidate(rank, candidate, probes, prints))
    if found is not None:
        parts.append(_decision(found))
    return "\n".join(parts)


def _list(candidates: Sequence[Candidate], *, whole: bool) -> str:
    if not candidates:
        return f"<p>No candidate{'' if whole else ' in the part that was compared'}.</p>"
    rows = []
    for rank, c in enumerate(candidates, 1):
        fingers = ", ".join(f"{_words(f.position.name)} {f.score:.2f}" for f in c.fingers)
        rows.append(
            f'<tr><td class="n">{rank}</td><td class="name">{_text(c.record)}</td>'
            f'<td class="n">{c.score:.2f}</td><td>{escape(str(c.claim))}</td>'
            f'<td class="fingers">{escape(fingers)}</td></tr>'
        )
    head = (
        '<tr><th class="n">rank</th><th>record</th><th class="n">score</th>'
        '<th>false match rate</th><th class="fingers">fingers</th></tr>'
    )
    return (
        f'<div class="table"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
        "</div>"
    )


def _candidate(rank: int, candidate: Candidate, probes: Sequence[Print], prints: Prints) -> str:
    head = (
        f"<h3>{rank}. Record {_text(candidate.record)}, score {candidate.score:.2f}</h3>"
        f"<p>{escape(_rarity(candidate))}</p>"
    )
    parts = []
    for finger in candidate.fingers:
        # On paper the first stays together with the heading.
        parts.append(f'<div class="whole">{head}{_finger(candidate, finger, probes, prints)}</div>')
        head = ""
    return "\n".join([*parts, head])


def _finger(
    candidate: Candidate, finger: FingerScore, probes: Sequence[Print], prints: Prints
) -> str:
    made = comparison_of(candidate, finger, probes, prints)
    said = (
        f"<h4>{escape(_finger_name(finger).capitalize())}</h4><p>{escape(_rests(finger, made))}</p>"
    )
    if made is None:
        return said
    # Both as large as they are to each other: one millimetre is as long on either side.
    wide = max(drawing.width for drawing in made.drawings)
    sides = (_figure(drawing, drawing.width / wide) for drawing in made.drawings)
    return f'{said}<div class="pair">{"".join(sides)}</div>'


def _rarity(candidate: Candidate) -> str:
    claim = candidate.claim
    share = f"one in {round(1 / claim.fmr):,}".replace(",", " ")
    several = " of as many fingers" if len(candidate.fingers) > 1 else ""
    if claim.below:
        return (
            f"Fewer than {share} comparisons of different people's prints{several} score as high: "
            "so much the evidence can tell, and no more."
        )
    return f"About {share} comparisons of different people's prints{several} scores as high."


def _rests(finger: FingerScore, made: Comparison | None) -> str:
    said = f"Score {finger.score:.2f}. "
    pairing = finger.pairing
    if pairing is not None:
        kind = "" if pairing.kind is Impression.UNKNOWN else f", {_words(pairing.kind.name)}"
        return (
            f"{said}It rests on {len(pairing.pairs)} paired minutiae of the probe's impression "
            f"{pairing.finger + 1} and the record's impression {pairing.impression + 1} "
            f"(labelled {_words(pairing.position.name)}{kind})."
        )
    missing = "The response names no paired minutiae: they were not asked for, or not shown."
    if made is None:
        return said + missing
    return (
        f"{said}{missing} Drawn are the {made.pairs} that a comparison of the prints handed in for "
        f"this page pairs; its score is {made.made_here:.2f}."
    )


def _decision(found: PartitionEvidence) -> str:
    rows = [(LABELS[name], value) for name, value in found.decided.items() if value]
    parts = ["<h3>Why, by the policy</h3>", _facts(rows)]
    if found.explanation:
        lines = "<br>".join(escape(line) for line in found.explanation.splitlines())
        parts.append(f"<p>{lines}</p>")
    if found.same_list is not None:
        parts.append(
            '<p class="yes">The list above is the one that the log recorded.</p>'
            if found.same_list
            else '<p class="no">The list above is NOT the one that the log recorded.</p>'
        )
    if found.proof is not None:
        parts += [
            "<h3>Proof</h3>",
            f"<p>{_text(found.proof.sentence)}</p>",
            "<details><summary>The proof, to be checked without the log</summary>"
            f"<pre>{_text(found.proof.to_json())}</pre></details>",
        ]
    return "\n".join(parts)


def _log(evidence: Evidence | None) -> str:
    if evidence is None:
        return (
            '<h2>Log</h2><p class="note">This page was made from the response alone, without the '
            "gallery's log: nothing on it has been checked against a record.</p>"
        )
    point = evidence.checkpoint
    rows = [
        ("intent", f"record {evidence.intent}, {evidence.time}, before anything was compared"),
        ("outcome", f"record {evidence.outcome}, {evidence.released}, before the answer left"),
        ("log", point.log_id),
        ("checkpoint", f"{point.size} records, root {point.root}"),
    ]
    note = (
        '<p class="note">The chain of the log was verified when this page was made. Compare the '
        "checkpoint with one that somebody else keeps.</p>"
    )
    return f"<h2>Log</h2>{_facts(rows)}{note}"


def _scale() -> str:
    count = f"{CALIBRATION.comparisons:,}".replace(",", " ")
    return (
        '<h2>What a score is</h2><p class="note">A score is -10 log10 of the false match rate: 40 '
        "stands for one comparison in 10 000 of different fingers, 60 for one in a million. The "
        f"scale rests on {count} comparisons of prints of different fingers; where a rate is given "
        'as "below", the score lies beyond what these can tell: it ranks, and claims no more. The '
        "more records are searched, the more of them resemble the probe by chance.</p>"
    )


def _facts(rows: Sequence[tuple[str, Any]]) -> str:
    cells = "".join(
        f"<dt>{escape(name)}</dt><dd>{_text(_said(value))}</dd>" for name, value in rows
    )
    return f"<dl>{cells}</dl>"


def _said(value: Any) -> str:
    return ", ".join(str(v) for v in value) if isinstance(value, list | tuple) else str(value)


def _finger_name(finger: FingerScore) -> str:
    return "finger of unknown position" if not finger.position else _words(finger.position.name)


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


def _text(text: str) -> str:
    """Escaped, and without characters that would turn or hide what stands beside them."""
    return escape("".join(c if c.isprintable() else "\ufffd" for c in text))


def _figure(drawing: Drawing, share: float = 1.0) -> str:
    data = base64.b64encode(drawing.svg().encode()).decode()
    alt = _text(drawing.title)
    wide = f' style="width:{100 * share:.1f}%"' if share < 1 else ""
    return f'<figure><img alt="{alt}"{wide} src="data:image/svg+xml;base64,{data}"></figure>'
