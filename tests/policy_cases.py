"""Random policies and searches over one small world, from a seed: cheap enough for thousands."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from fpmatch.policy import model as m
from fpmatch.policy.policy import Policy
from fpmatch.policy.presets import MODES
from fpmatch.types import Facts, Ori

DAY0 = datetime(2011, 1, 1, tzinfo=UTC)
OWNERS = {"criminal": "DOJ-FBI", "immigration": "DHS", "risc": "DOJ-FBI", "town": "S1-C1"}
AGENCIES = ("AA0000001", "AA0000002", "AA0000003", "AA0000004", "BB0000001")
BUREAU = "AASIR0000"
FEDERAL = "USFBI0000"
NODES = ("*", "S1", "S1-C1", "S1-C2", "S2", *AGENCIES, BUREAU, FEDERAL)
AUTHORS = ("DHS", "DOJ-FBI", "S1", "S1-C1", BUREAU, "AA0000001", "AA0000002")
CHARGES = ("felony", "misdemeanor", "traffic", "0399", "murder", None)
DISPOSITIONS = ("convicted", "dismissed", "pending", "?", None)


def world(**changes: object) -> m.Declared:
    """The registry that every random policy shares."""
    base: dict = {
        "version": 1,
        "transactions": ("CAR", "CNA"),
        "purposes": ("C", "F"),
        "roles": ("officer", "advocate"),
        "charges": ("felony", "misdemeanor", "traffic"),
        "dispositions": ("convicted", "acquitted", "dismissed", "pending"),
        "attributes": (("citizen", ("no", "yes")),),
        "mandates_enabled": True,
        "partitions": (
            m.Partition(
                "criminal", 1, "DOJ-FBI", requires_activation=False, searches_protected=True
            ),
            m.Partition(
                "immigration",
                9,
                "DHS",
                protected_roles=("advocate",),
                minutiae_roles=("officer", "advocate"),
            ),
            m.Partition("risc", 6, "DOJ-FBI", requires_activation=False),
            m.Partition("town", 901, "S1-C1", kind="local", requires_activation=False),
        ),
        "jurisdictions": (
            m.Jurisdiction("S1", kind="state", require_consent=("risc",)),
            m.Jurisdiction("S1-C1", parent="S1"),
            m.Jurisdiction("S1-C2", parent="S1"),
            m.Jurisdiction("S2", kind="state", via=BUREAU),
        ),
        "agencies": (
            m.Agency("AA0000001", parent="S1-C1"),
            m.Agency("AA0000002", parent="S1-C1", kind="jail"),
            m.Agency("AA0000003", parent="S1-C2", acknowledges=("immigration",)),
            m.Agency("AA0000004", parent="S1", end=DAY0 + timedelta(days=20)),
            m.Agency("BB0000001", parent="S2"),
            m.Agency(BUREAU, kind="sib", parent="S1"),
            m.Agency(FEDERAL, kind="federal"),
        ),
    }
    return m.Declared(**(base | changes))


def day(rng: random.Random) -> datetime:
    return DAY0 + timedelta(days=rng.randrange(30))


def interval(rng: random.Random) -> dict[str, datetime | None]:
    start = day(rng) if rng.random() < 0.3 else None
    end = (start or DAY0) + timedelta(days=1 + rng.randrange(20)) if rng.random() < 0.3 else None
    return {"start": start, "end": end}


def conditions(rng: random.Random, chance: float) -> tuple[m.Condition, ...]:
    pool = (
        m.Condition("charge", frozenset(rng.sample(("felony", "misdemeanor", "traffic"), 2))),
        m.Condition("disposition", frozenset(("convicted",))),
        m.Condition("role", frozenset((rng.choice(("", "officer")),))),
        m.Condition("protected", frozenset(("no",))),
        m.Condition("purpose", frozenset(("C",))),
        m.Condition("transaction", frozenset(("CAR",))),
        m.Condition("attributes.citizen", frozenset(("no",))),
    )
    return tuple(rng.sample(pool, rng.choice((1, 1, 2)))) if rng.random() < chance else ()


def rule(rng: random.Random, number: int) -> m.Rule:
    effect = rng.choice((m.Effect.PERMIT,) * 4 + (m.Effect.FORBID,) * 2 + (m.Effect.MANDATE,))
    partition = rng.choice(tuple(OWNERS))
    author = OWNERS[partition] if rng.random() < 0.6 else rng.choice(AUTHORS)
    authority = m.Authority.OWNER
    if author != OWNERS[partition]:
        authority = m.Authority.SIB if author == BUREAU else m.Authority.LOCAL
    if effect is m.Effect.MANDATE or (effect is m.Effect.FORBID and rng.random() < 0.15):
        authority = m.Authority.MANDATE
    bits = rng.choice(
        (m.ALL, m.ALL, m.ALL & ~m.VIEW, m.PROBE, m.VIEW, m.NOTIFY | m.RETAIN, m.ACCEPT)
    )
    if effect is not m.Effect.FORBID:
        bits |= m.ACCEPT
    everywhere = rng.random() < 0.1
    times = interval(rng)
    if effect is m.Effect.MANDATE and times["start"] is None:
        times["start"] = DAY0 - timedelta(days=1)
    return m.Rule(
        id=f"r{number:02d}",
        effect=effect,
        who=tuple(rng.sample(NODES, 1)) if rng.random() < 0.6 else ("*",),
        partitions=("*",) if everywhere else (partition,),
        bits=bits,
        author=author,
        authority=authority,
        when=conditions(rng, 0.25),
        unless=conditions(rng, 0.15),
        agreement=rng.choice(("", "", "moa", "287g")),
        legal_basis=rng.choice(("", "a law")) if effect is not m.Effect.MANDATE else "a letter",
        signer="the Director" if effect is m.Effect.MANDATE else "",
        defer=m.Defer("CONVICTION", 30) if rng.random() < 0.3 else None,
        **times,
    )


def mode(rng: random.Random, number: int) -> m.Mode:
    name = rng.choice(MODES)
    start = DAY0 + timedelta(days=number)
    return m.Mode(
        mode=name,
        who=rng.choice(NODES[1:]),
        author="DHS",
        authority=m.Authority.OWNER,
        partition="" if name == "no_federal_submission" else "immigration",
        retain=rng.random() < 0.5,
        start=start if rng.random() < 0.5 else None,
        until=day(rng) + timedelta(days=30) if name == "not_activated" else None,
    )


def policy(rng: random.Random) -> Policy:
    """A random policy; some of its rules are outside their author's authority, and so void."""
    owned = [
        m.Rule(f"base-{p}", m.Effect.PERMIT, ("*",), (p,), m.ALL, o, m.Authority.OWNER)
        for p, o in OWNERS.items()
        if rng.random() < 0.6
    ]
    settings = [
        m.Activation(
            who=rng.choice(NODES),
            partition=rng.choice(("immigration", "criminal")),
            state=rng.choice((m.ActivationState.ACTIVE,) * 3 + tuple(m.ActivationState)),
            author="DHS",
            authority=m.Authority.OWNER,
            **interval(rng),
        )
        for _ in range(rng.randrange(4))
    ]
    settings = [
        s if s.partition == "immigration" else m.Activation(**_fields(s) | {"author": "DOJ-FBI"})
        for s in settings
    ]
    consents = [
        m.Consent(
            rng.choice((*AGENCIES, BUREAU)),
            rng.choice(("risc", "immigration")),
            rng.choice(tuple(m.ConsentState)),
            BUREAU,
            **interval(rng),
        )
        for _ in range(rng.randrange(4))
    ]
    ended = rng.random() < 0.3
    agreements = (
        m.Agreement(
            "moa",
            ("DHS", "S1"),
            ("immigration",),
            notice_days=3,
            terminated_by="S1" if ended else "",
            terminated_on=day(rng) if ended else None,
            **interval(rng),
        ),
        m.Agreement("287g", ("DHS", "AA0000001"), ("*",), m.PROBE | m.VIEW, "287(g)"),
    )
    return Policy(
        world(
            mandates_enabled=rng.random() < 0.7,
            rules=(*owned, *(rule(rng, i) for i in range(rng.randrange(7)))),
            modes=tuple(
                {x.label: x for x in (mode(rng, i) for i in range(rng.randrange(3)))}.values()
            ),
            activations=tuple(settings),
            consents=tuple(consents),
            agreements=agreements,
        )
    )


def _fields(item: object) -> dict:
    return {name: getattr(item, name) for name in item.__dataclass_fields__}  # type: ignore[attr-defined]


def facts(rng: random.Random) -> Facts:
    first = rng.choice((*AGENCIES, *AGENCIES, BUREAU, "ZZ0000000"))
    more = rng.choice(((), (BUREAU,), (BUREAU,), (BUREAU, FEDERAL), ("AA0000003", BUREAU)))
    requested = rng.choice((None, None, ("criminal",), ("immigration", "nowhere"), ()))
    return Facts(
        chain=tuple(Ori(o) for o in (first, *more)),
        transaction=rng.choice(("CAR", "CAR", "CNA", "XXX")),
        purpose=rng.choice(("C", "C", "F", "?")),
        role=rng.choice(("", "", "officer", "advocate", "boss")),
        charge=rng.choice(CHARGES),
        disposition=rng.choice(DISPOSITIONS),
        protected=rng.choice((False, False, False, True, None)),
        attributes=rng.choice(({}, {"citizen": "no"}, {"citizen": "yes"}, {"citizen": "maybe"})),
        requested=requested,
    )
