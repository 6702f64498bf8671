"""What outlives a search: deferred and retained probes, copies, second runs."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from engine_helpers import (
    HELD,
    KEEPS,
    LATER,
    NOW,
    OFF,
    ON,
    OTHER,
    POLICY,
    Clock,
    engine,
    folder,
    print_of,
    record,
    request,
)

from fpmatch.audit import verify_proof
from fpmatch.errors import AuditError, InputError, RefusedError
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.types import Outcome, Reason

ORDER = {"order": "o", "authority": "CA"}
OPAQUE = POLICY.replace('protected_roles = ["advocate"]', 'status_visibility = "opaque"')


def names(section):
    return [c.record for c in section.candidates if c.score >= 50]


class Xor:
    """Stands for a real cipher in tests."""

    def seal(self, owner, content):
        return bytes(b ^ 90 for b in content)

    open = seal


@pytest.mark.parametrize("vault", [None, Xor()])
def test_conviction_brings_the_one_search_that_waited(vault):
    with engine(vault=vault) as e:
        first = e.search(request(LATER, tcn="booked"))
        waiting = first["immigration"]
        assert (waiting.outcome, waiting.reason) == (Outcome.DEFERRED, Reason.AWAITING_EVENT)
        assert names(first["criminal"]) == ["C-1"]
        assert [m.partition for m in e.notifications()] == ["criminal"]
        response = e.report_event(waiting.token, "CONVICTION")
        assert names(response["immigration"]) == ["I-1"]
        assert response["criminal"].reason is Reason.NOT_REQUESTED
        intent = next(iter(e.audit.records(kind="INTENT", tcn=response.tcn)))
        assert intent.fields["tcr"] == "booked"
        with pytest.raises(RefusedError):
            e.report_event(waiting.token, "CONVICTION")
        assert verify_proof(e.audit.prove_not_searched("booked", "immigration")).ok


def test_dismissal_destroys_the_probe_and_nothing_was_compared():
    with engine() as e:
        token = e.search(request(LATER, tcn="booked"))["immigration"].token
        response = e.report_event(token, "DISMISSAL")
        assert response["immigration"].outcome is Outcome.DEFERRED_CANCELLED
        assert e._state.ledger.kept("deferred") == []
        for tcn in ("booked", response.tcn):
            assert verify_proof(e.audit.prove_not_searched(tcn, "immigration")).ok
        (cancelled,) = e.audit.records(kind="DEFER_CANCELLED")
        assert cancelled.fields["stage2"] == 0
        assert token not in str(dict(cancelled.fields))


def test_an_event_that_settles_nothing_leaves_the_token_good():
    with engine() as e:
        token = e.search(request(LATER))["immigration"].token
        again = e.report_event(token, "HEARING", disposition="pending")
        assert again["immigration"].outcome is Outcome.DEFERRED
        assert again["immigration"].token == token
        assert names(e.report_event(token, "CONVICTION")["immigration"]) == ["I-1"]
        with pytest.raises(InputError, match="disposition"):
            e.report_event(token, "HEARING")


def test_the_policy_of_the_event_decides():
    with engine() as e:
        token = e.search(request(LATER))["immigration"].token
        e.publish(e.policy.deactivate(LATER, "immigration", authority="DHS", reason="r", at=NOW))
        response = e.report_event(token, "CONVICTION")
        assert response["immigration"].outcome is Outcome.DEFERRED_CANCELLED
        assert response["immigration"].reason is Reason.ORI_DEACTIVATED


def test_a_deferred_probe_expires_unasked_and_at_the_next_opening():
    place, clock = folder(), Clock()
    with Engine.create(place, durability="off", clock=clock) as e:
        e.add_partition("criminal", 1, "DOJ-FBI")
        e.add_partition("immigration", 9, "DHS")
        e.publish(Policy.parse(POLICY))
        token = e.search(request(LATER))["immigration"].token
        second = e.search(request(LATER, person=2))["immigration"].token
        clock.now = NOW + timedelta(days=29)
        e.cancel(second)
        clock.now = NOW + timedelta(days=30)
        with pytest.raises(RefusedError):
            e.report_event(token, "CONVICTION")
        assert [r.fields["why"] for r in e.audit.records(kind="DEFER_CANCELLED")] == [
            "cancelled",
            "expired",
        ]
        e.search(request(LATER))
    clock.now = NOW + timedelta(days=90)
    with Engine.open(place, durability="off", clock=clock) as e:
        assert e._state.ledger.kept("deferred") == []
    shutil.rmtree(place)


def test_everywhere_treats_the_event_as_a_new_submission():
    with engine() as e:
        token = e.search(request(LATER))["immigration"].token
        response = e.report_event(token, "CONVICTION", everywhere=True)
        assert names(response["criminal"]) == ["C-1"]
        assert names(response["immigration"]) == ["I-1"]


def test_probes_are_retained_only_when_asked_and_permitted():
    with engine() as e:
        e.search(request(KEEPS, retain=False))
        e.search(request(ON, retain=True))
        e.search(request(OFF, retain=True))
        assert e._state.ledger.kept("retained", "immigration") == []
        e.search(request(KEEPS, retain=True))
        assert len(e._state.ledger.kept("retained", "immigration")) == 1
        assert len(e.cascade("immigration")) == 1
        assert len(e._state.ledger.kept("retained", "immigration")) == 1


def test_a_retained_probe_that_would_have_to_wait_gets_no_token():
    interoperable = f'mode = "interoperable"\nwho = "{KEEPS}"'
    waits = POLICY.replace(interoperable, f'mode = "deferred_disposition"\nwho = "{KEEPS}"')
    with engine() as e:
        e.search(request(KEEPS, 7, retain=True))
        e.publish(Policy.parse(waits))
        (answer,) = e.cascade("immigration")
        section = answer["immigration"]
        assert (section.outcome, section.reason) == (
            Outcome.NOT_SEARCHED,
            Reason.AWAITING_EVENT,
        )
        assert not section.token
        assert e._state.ledger.kept("deferred") == []
        e.publish(Policy.parse(POLICY))
        (answer,) = e.cascade("immigration")
        assert answer["immigration"].candidates


def test_the_token_of_a_retained_probe_opens_nothing():
    with engine() as e:
        e.search(request(KEEPS, retain=True))
        token = e._state.ledger.kept("retained", "immigration")[0].token
        for act in (lambda: e.report_event(token, "CONVICTION"), lambda: e.cancel(token)):
            with pytest.raises(RefusedError):
                act()
        assert len(e._state.ledger.kept("retained", "immigration")) == 1


def test_a_copy_shows_at_most_what_both_may_see():
    with engine() as e:
        e.search(request(ON, copies_to=[HELD, OFF, KEEPS, OTHER, "ZZ0000000"], tcn="c"))
        kept = e.copy("c", KEEPS)
        assert names(kept["criminal"]) == ["C-1"]
        assert names(kept["immigration"]) == ["I-1"]
        for ori in (HELD, OFF):
            copy = e.copy("c", ori)
            assert names(copy["criminal"]) == ["C-1"]
            assert copy["immigration"].candidates is None
        for ori in (OTHER, "ZZ0000000"):
            assert all(s.candidates is None for s in e.copy("c", ori))
        with pytest.raises(RefusedError):
            e.copy("c", KEEPS)
        e.search(request(HELD, copies_to=[ON], tcn="d"))
        assert e.copy("d", ON)["immigration"].candidates is None
        said = next(iter(e.audit.records(kind="OUTCOME", tcn="c")))
        assert list(said.partitions["immigration"]["recipients"]) == [ON, KEEPS]


def test_copies_of_opaque_partitions_have_their_own_handles():
    with engine(text=OPAQUE) as e:
        mine = e.search(request(ON, copies_to=[KEEPS], tcn="c"))["immigration"]
        copy = e.copy("c", KEEPS)["immigration"]
        assert len(copy.candidates) == len(mine.candidates)
        shown = {c.record for c in copy.candidates}
        assert not shown & {c.record for c in mine.candidates}
        assert all(name.startswith("H") for name in shown), "a record's own id"


def test_a_search_can_be_run_again_and_shows_what_changed():
    with engine() as e:
        asked = request(HELD)
        response = e.search(asked)
        report = e.replay(response.audit_seq, asked)
        assert report.ok
        assert [p for p, _ in report.partitions] == ["criminal", "immigration"]
        with pytest.raises(InputError, match="fingers"):
            e.replay(response.audit_seq, request(HELD, person=2))
        with pytest.raises(AuditError):
            e.replay(1, asked)
        e.publish(e.policy.deactivate(HELD, "immigration", authority="DHS", reason="r", at=NOW))
        assert e.replay(response.audit_seq, asked).ok, "judged by the policy of that day"
        e.enrol("immigration", [record("I-50", 50)])
        report = e.replay(response.audit_seq, asked)
        assert dict(report.partitions)["criminal"] == ()
        assert "gallery_root" in dict(report.partitions)["immigration"]
        e.expunge("I-50", **ORDER)
        assert e.replay(response.audit_seq, asked).ok, "the same contents, the same root"
        assert len(list(e.audit.records(kind="REPLAY"))) == 4


def test_withheld_and_not_searched_are_proved():
    with engine() as e:
        e.search(request(HELD, tcn="w"))
        e.search(request(OFF, tcn="n"))
        assert verify_proof(e.audit.prove_withheld("w", "immigration")).ok
        assert verify_proof(e.audit.prove_not_searched("n", "immigration")).ok
        with pytest.raises(AuditError):
            e.audit.prove_not_searched("w", "immigration")
        with pytest.raises(AuditError):
            e.audit.prove_withheld("n", "immigration")


def test_mandated_searches_are_flagged_to_the_owner_and_in_the_log():
    text = (
        POLICY.replace("version = 1", "version = 1\nmandates_enabled = true")
        + f"""
[[rule]]
id = "letter"
effect = "mandate"
who = "{OFF}"
partitions = "immigration"
author = "DHS"
authority = "mandate"
from = 2010-01-01
signer = "the Director"
legal_basis = "a letter"
"""
    )
    plain = text.replace(
        f'mode = "ori_deactivated"\nwho = "{OFF}"\npartition = "immigration"\nauthor = "DHS"',
        f'mode = "not_activated"\nwho = "{OFF}"\npartition = "immigration"\nauthor = "DHS"',
    )
    with engine(text=plain) as e:
        response = e.search(request(OFF))
        assert response["immigration"].outcome is Outcome.SEARCHED_DISCLOSED
        intent = next(iter(e.audit.records(kind="INTENT", tcn=response.tcn)))
        assert intent.partitions["immigration"]["consent_overridden"] is True
        message = next(m for m in e.notifications() if m.partition == "immigration")
        assert message.consent_overridden


def test_a_vault_keeps_probes_unreadable_at_rest():
    with engine(vault=Xor()) as e:
        e.search(request(LATER, person=60))
        content = print_of(60, 5).to_bytes()[12:60]
        files = [p for p in e._state.folder.rglob("*") if p.is_file()]
        assert not any(content in p.read_bytes() for p in files)
