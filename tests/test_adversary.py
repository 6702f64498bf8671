"""A few dozen sequences of the adversary, and proof that it notices guards that are gone.

``python tests/adversary.py --sequences 10000`` is the long form.
"""

from __future__ import annotations

import adversary
import pytest
from remembering import remembered

from fpmatch.gallery.columns import Columns
from fpmatch.ledger import Ledger
from fpmatch.search import copies, decision, kept_probes, outbox, release
from fpmatch.search.state import State

SEED = 11
SEQUENCES = 40
BROKEN = 60
"""Sequences in which a missing guard must show."""


@pytest.fixture(scope="module")
def stage():
    made = adversary.Stage()
    with remembered():
        yield made
    made.close()


def test_sequences_from_threads_and_processes_break_no_promise(stage):
    total = adversary.Tally()
    for number in range(SEQUENCES):
        total.add(adversary.play(stage, SEED, number))
    assert total.violations == []
    assert total.sequences == SEQUENCES
    seen = set(total.outcomes)
    assert {"SEARCHED_DISCLOSED", "SEARCHED_WITHHELD", "NOT_SEARCHED", "DEFERRED"} <= seen
    assert total.calls["from threads at once"] > SEQUENCES
    assert (
        min(total.calls[k] for k in ("event", "copy", "deliver", "cascade", "expunge", "update"))
        > 0
    )


def test_calls_of_a_sequence_are_the_same_again(stage):
    calls = [adversary.play(stage, SEED, 3, 12).calls for _ in range(2)]
    assert calls[0] == calls[1]


def everything_allowed(patch):
    patch.setattr(Columns, "allowed", lambda *a, **k: None)
    patch.setattr(Columns, "barred", lambda self, **k: self.sealed[: len(self.names)] & False)


def results_shown(patch):
    original = release.narrowed

    def all_seen(first, second):
        granted = original(first, second)
        return (
            granted
            if not granted.probe
            else granted.__class__(
                **{
                    **{n: getattr(granted, n) for n in granted.__dataclass_fields__},
                    "permissions": granted.permissions | release.Permission.VIEW,
                }
            )
        )

    patch.setattr(release, "narrowed", all_seen)


def logged_twice(patch):
    def log(self, mine=""):
        last = 0
        for name, kind, fields in self.gallery.unlogged():
            for _ in range(2):
                last = self.audit.event(kind, {**fields, "journal": name})
            self.gallery.logged({name: last})
        return last

    patch.setattr(State, "log", log)


def tokens_never_destroyed(patch):
    patch.setattr(Ledger, "destroy", lambda *a: True)


def copies_for_anyone(patch):
    own = lambda state, facts, recipient: copies.by_partition(  # noqa: E731
        decision.decide(state, facts, state.policy)
    )
    patch.setattr(copies, "own_decision", own)


def delivered_again(patch):
    original = outbox.deliver
    patch.setattr(outbox, "deliver", lambda state, name: (original(state, name), True)[1])


def always_retained(patch):
    retains = lambda running, one: one.truth.partition in running.scores  # noqa: E731
    patch.setattr(kept_probes, "_retains", retains)


GUARDS = (
    everything_allowed,
    results_shown,
    logged_twice,
    tokens_never_destroyed,
    copies_for_anyone,
    delivered_again,
    always_retained,
)


LATE = {copies_for_anyone: 40}
"""Which sequence is the first that is played, where those before it hardly ever notice."""


@pytest.mark.parametrize("broken", GUARDS)
def test_a_guard_that_is_gone_is_noticed(stage, broken, monkeypatch):
    broken(monkeypatch)
    first = LATE.get(broken, 0)
    for number in range(first, first + BROKEN):
        if adversary.play(stage, SEED, number).violations:
            return
    raise AssertionError(f"{BROKEN} sequences did not notice it")
