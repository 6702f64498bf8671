"""What outlives an answer, and what comes along with one: kept probes, copies, paired minutiae."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fpmatch.testing.adapter import TakesEvents
from fpmatch.testing.bench import Bench, NotChecked
from fpmatch.testing.check import Check, expect
from fpmatch.testing.world import (
    DEFERRED,
    OFF,
    OPEN,
    POLICY,
    SECOND,
    WITHHELD,
    record,
    request,
    world,
)
from fpmatch.types import PartitionResult, SearchResponse

__tracebackhide__ = True  # pytest shows what is wrong, and not where it was found

KEEPS = POLICY.replace(
    f'who = "{OPEN}"\npartition = "immigration"\nauthor = "DHS"',
    f'who = "{OPEN}"\npartition = "immigration"\nauthor = "DHS"\nretain = true',
).replace(
    f'who = "{WITHHELD}"\npartition = "immigration"\nauthor = "DHS"',
    f'who = "{WITHHELD}"\npartition = "immigration"\nauthor = "DHS"\nretain = true',
)
"""`POLICY`, where probes of two agencies may be kept for the immigration partition."""
SHOWN = "officer"
"""The role that sees paired minutiae in `PAIRED`."""
PAIRED = POLICY.replace('owner = "DHS"\n', f'owner = "DHS"\nminutiae_roles = ["{SHOWN}"]\n', 1)
"""`POLICY`, where a role may see paired minutiae in the immigration partition."""


def _off(ori: str, policy: str = POLICY) -> str:
    """A policy in which an agency is switched off."""
    return policy.replace(f'"interoperable"\nwho = "{ori}"', f'"ori_deactivated"\nwho = "{ori}"')


def _listed(section: PartitionResult) -> list[str]:
    return [c.record for c in section.candidates or ()]


def _of(responses: Iterable[SearchResponse], partition: str = "immigration") -> list[str]:
    sections = [s for r in responses for s in r if s.partition == partition]
    return [name for section in sections for name in _listed(section)]


def deferred_probes(bench: Bench) -> None:
    """An event brings no search where the policy of that moment denies it."""
    opened = bench.open(world())
    if not isinstance(opened.engine, TakesEvents):
        raise NotChecked("the engine has no method report_event(token, event, ...)")
    section = opened.section(request(DEFERRED), "immigration")
    expect(bool(section.token), "a deferred search gives no token")
    opened.publish(POLICY.replace("deferred_disposition", "ori_deactivated"))
    opened.watch.seen.clear()
    answer = opened.engine.report_event(
        section.token, "CONVICTION", disposition=None, everywhere=False
    )
    found = _of([answer])
    expect(not found, f"a probe that waited is answered after the opt-out: {found}")
    seen = opened.records_compared("immigration")
    expect(not seen, f"a probe that waited is compared after the opt-out, with {sorted(seen)}")


def retained_probes(bench: Bench) -> None:
    """A retained probe is searched as far as the policies of then and of now allow, and no more."""
    opened = bench.open(world(), KEEPS)
    opened.search(request(OPEN, person=30, retain=True))
    opened.search(request(OPEN, person=31))
    opened.search(request(WITHHELD, person=32, retain=True))
    came = [record(f"I-{p}", p) for p in (30, 31, 32)]
    opened.enrol("immigration", came)
    found = opened.cascade("immigration")
    listed = [name for name in _of(found) if name in {r.record for r in came}]
    if not listed and not opened.watched:
        raise NotChecked("the engine retained no probe")
    expect("I-31" not in _best(found), "a probe that was not retained is searched later")
    expect("I-30" in listed, "a retained probe does not find what came later")
    expect("I-32" not in _best(found), "a retained probe shows what was withheld from its agency")
    opened.publish(KEEPS.replace("results_withheld", "interoperable"))
    wider = _best(opened.cascade("immigration"))
    expect("I-32" not in wider, "a retained probe shows more under a later, wider policy")
    opened.publish(_off(OPEN, KEEPS))
    after = _of(opened.cascade("immigration"))
    expect("I-30" not in after, "a retained probe is answered after its agency was switched off")
    opened.publish(KEEPS.replace("retain = true", "retain = false"))
    ended = _of(opened.cascade("immigration"))
    expect(not ended, f"retained probes are answered where none may be kept any more: {ended[:3]}")


def _best(responses: Iterable[SearchResponse]) -> set[str]:
    """The first of each list: the mate, and not who resembles it by chance."""
    return {name for response in responses for name in _of([response])[:1]}


def copies(bench: Bench) -> None:
    """A copy shows what both parties may see when it is handed out, and is handed out once."""
    opened = bench.open(world())
    asked = request(OPEN, copies_to=(SECOND, OFF), tcn="K-1")
    opened.search(asked)
    expect(opened.copy("K-1", WITHHELD) is None, "who was not named gets a copy")
    copy = opened.copy("K-1", SECOND)
    if copy is None:
        raise NotChecked("the engine made no copy for an agency of copies_to")
    expect("I-1" in _of([copy]), "a copy does not list what both parties may see")
    expect(opened.copy("K-1", SECOND) is None, "a copy is handed out twice")
    denied = opened.copy("K-1", OFF)
    expect(
        denied is None or not _of([denied]),
        "an agency that is switched off gets by copy what it may not search",
    )
    for who, what in ((OPEN, "the submitter"), (SECOND, "the recipient")):
        opened = bench.open(world())
        opened.search(request(OPEN, copies_to=(SECOND,), tcn="K-2"))
        opened.publish(_off(who))
        late = opened.copy("K-2", SECOND)
        found = [] if late is None else _of([late])
        expect(not found, f"a copy lists {found} after {what} was switched off")


def copies_of_hidden(bench: Bench) -> None:
    """A copy lists no record that its recipient may not see when it is handed out."""
    opened = bench.open(
        {
            "immigration": [
                record("P-1", 1, touch=1, protected=True),
                record("I-1", 1, touch=2),
                record("I-2", 1, touch=3),
            ]
        }
    )
    asked = request(OPEN, role="advocate", copies_to=(SECOND,), tcn="K-3", max_candidates=2)
    opened.search(asked)
    copy = opened.copy("K-3", SECOND)
    if copy is None:
        raise NotChecked("the engine made no copy for an agency of copies_to")
    found = _of([copy])
    expect("P-1" not in found, "a copy lists a record that only the submitter's role sees")
    expect(
        set(found) == {"I-1", "I-2"},
        f"what the recipient may not see takes a place in its copy: {found}",
    )
    opened.search(request(OPEN, copies_to=(SECOND,), tcn="K-4"))
    opened.seal("immigration", "I-2")
    later = opened.copy("K-4", SECOND)
    hidden = later is None or "I-2" not in _of([later])
    expect(hidden, "a copy lists a record that is sealed by then")


def minutiae(bench: Bench) -> None:
    """Paired minutiae come along for the roles that the policy names, and in no copy."""
    opened = bench.open(world(), PAIRED)

    def paired(partition: str, **more: Any) -> list[str]:
        section = opened.section(request(**{"minutiae": True, **more}), partition)
        return [
            c.record
            for c in section.candidates or ()
            if any(f.pairing is not None for f in c.fingers)
        ]

    for role, what in (("", "an agency without a role"), ("advocate", "another role")):
        found = paired("immigration", role=role)
        expect(not found, f"{what} is shown the paired minutiae of {found}")
    found = paired("criminal", role=SHOWN)
    expect(not found, f"paired minutiae of a partition that names no role are shown: {found}")
    found = paired("immigration", role=SHOWN, minutiae=False)
    expect(not found, f"paired minutiae that nobody asked for are shown: {found}")
    found = paired("immigration", role=SHOWN, copies_to=(SECOND,), tcn="K-5")
    opened.publish(POLICY)
    after = paired("immigration", role=SHOWN)
    expect(not after, f"paired minutiae are shown after the policy ended that: {after}")
    if not found:
        return
    try:
        copy = opened.copy("K-5", SECOND)
    except NotChecked:
        return
    sections = list(copy or ())
    shown = [
        c.record
        for s in sections
        for c in s.candidates or ()
        if any(f.pairing is not None for f in c.fingers)
    ]
    expect(not shown, f"a copy brings the paired minutiae of {shown}")


CHECKS = (
    Check("L12", "deferred-probes-do-not-outlive-an-opt-out",
          "an event brings no search where the policy of that moment denies it", deferred_probes),
    Check("L12", "retained-probes-do-not-outlive-an-opt-out",
          "a retained probe finds what the policies of then and of now both allow",
          retained_probes),
    Check("L12", "copies-do-not-outlive-an-opt-out",
          "a copy shows what submitter and recipient may see when it is handed out, once", copies),
    Check("L12", "copies-show-no-hidden-records",
          "a copy lists no record that its recipient may not see by then", copies_of_hidden),
    Check("L19", "minutiae-for-named-roles-only",
          "paired minutiae come along for the roles that the policy names, and in no copy",
          minutiae),
)  # fmt: skip
"""What holds of an engine that keeps and shows no more than it may."""
