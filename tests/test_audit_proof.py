"""Proofs and exports: what outsiders can check without the log."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from audit_helpers import Clock, intent, outcome, search, tamper
from hypothesis import given, settings
from hypothesis import strategies as st

from fpmatch.audit import (
    PUBLIC_FIELDS,
    AuditLog,
    Proof,
    canonical,
    hashing,
    verify_export,
    verify_proof,
)
from fpmatch.errors import AuditError, InputError


@pytest.fixture
def log(tmp_path):
    with AuditLog.create(tmp_path / "a.db", clock=Clock(), durability="off", actor="x") as log:
        search(log, "T1", probe_digest="probe-one", user="badge-4711")
        search(log, "T2", "SEARCHED_WITHHELD", hits=3)
        search(log, "T3", "SEARCHED_WITHHELD", hits=0)
        search(log, "T4", "SEARCHED_DISCLOSED", hits=1)
        yield log


def test_a_search_left_out_is_proved_without_the_log(log):
    proof = log.prove_not_searched("T1", "immigration")
    log.close()
    log.path.unlink()
    witnessed = proof.checkpoint
    report = verify_proof(proof.to_json(), witnessed)
    assert report.ok, report.why
    assert report.sentence == proof.sentence
    for part in ("T1", "CA0380100", "immigration", "not searched", "ORI_DEACTIVATED", "r2"):
        assert part in report.sentence
    said = proof.records[1]["fields"]["/partitions/immigration/stage1"]
    assert said["value"] == 0
    assert "probe-one" not in proof.to_json()
    assert "badge-4711" not in proof.to_json()


def test_a_withheld_result_is_proved_and_the_proof_tells_nothing_of_hits(log):
    hit, none = (log.prove_withheld(t, "immigration") for t in ("T2", "T3"))
    assert verify_proof(hit, hit.checkpoint).ok
    assert "withheld from the submitter" in hit.sentence
    for proof in (hit, none):
        shown = [
            path for r in proof.records for path, said in r["fields"].items() if "value" in said
        ]
        assert "/partitions/immigration/outcome" in shown
        for name in ("n_candidates", "recipients", "notifications", "live", "stage1"):
            assert f"/partitions/immigration/{name}" not in shown
        assert not any(path.startswith("/partitions/criminal") for path in shown)


@pytest.mark.parametrize(
    ("claim", "tcn", "partition", "why"),
    [
        ("not_searched", "T2", "immigration", "SEARCHED_WITHHELD"),
        ("not_searched", "T4", "immigration", "SEARCHED_DISCLOSED"),
        ("not_searched", "T1", "criminal", "SEARCHED_DISCLOSED"),
        ("not_searched", "T1", "elsewhere", "not recorded"),
        ("not_searched", "T9", "immigration", "no search with TCN"),
        ("withheld", "T1", "immigration", "NOT_SEARCHED"),
        ("withheld", "T4", "immigration", "SEARCHED_DISCLOSED"),
    ],
)
def test_what_is_not_so_cannot_be_proved(log, claim, tcn, partition, why):
    with pytest.raises(AuditError, match=why):
        getattr(log, f"prove_{claim}")(tcn, partition)


@pytest.mark.parametrize("which", range(4))
def test_a_counted_comparison_spoils_the_proof(log, which):
    counts = tuple(int(i == which) for i in range(4))
    search(log, "T5", counts=counts)
    with pytest.raises(AuditError, match="not zero"):
        log.prove_not_searched("T5", "immigration")


def test_a_granted_search_spoils_the_proof(log):
    seq = log.intent(intent("T5", immigration="ACCEPT+PROBE"))
    log.outcome(seq, outcome("T5"))
    with pytest.raises(AuditError, match="granted a search"):
        log.prove_not_searched("T5", "immigration")


def test_a_dangling_search_or_a_second_one_spoils_the_proof(log):
    log.intent(intent("T5"))
    with pytest.raises(AuditError, match="unknown"):
        log.prove_not_searched("T5", "immigration")
    search(log, "T1", "SEARCHED_WITHHELD")
    with pytest.raises(AuditError, match="SEARCHED_WITHHELD"):
        log.prove_not_searched("T1", "immigration")


def test_two_searches_of_one_transaction_are_both_in_the_proof(log):
    search(log, "T1")
    proof = log.prove_not_searched("T1", "immigration")
    assert len(proof.records) == 4
    assert verify_proof(proof).ok


def test_a_proof_leads_to_the_checkpoint_that_a_witness_kept(log):
    early = log.checkpoint()
    search(log, "T5")
    proof = log.prove_not_searched("T1", "immigration", early)
    assert proof.checkpoint == early
    assert verify_proof(proof, early).ok
    assert not verify_proof(proof, log.checkpoint()).ok
    with pytest.raises(AuditError, match="later than the checkpoint"):
        log.prove_not_searched("T5", "immigration", early)
    with pytest.raises(AuditError, match="not the one"):
        log.prove_not_searched("T1", "immigration", replace(early, root="00" * 32))
    with pytest.raises(AuditError, match="not those of this log"):
        log.prove_not_searched("T1", "immigration", replace(early, size=10**6))


def test_no_proof_comes_from_a_damaged_log(log):
    tamper(log.path, ("UPDATE records SET kind = 'SEAL' WHERE seq = 1", ()))
    with pytest.raises(AuditError, match="does not verify"):
        log.prove_not_searched("T1", "immigration")


@settings(max_examples=200, deadline=None)
@given(draws=st.data())
def test_no_changed_proof_holds_against_the_witnessed_checkpoint(draws, tmp_path_factory):
    text, checkpoint = _proof(tmp_path_factory)
    place = draws.draw(st.integers(0, len(text) - 1))
    new = draws.draw(st.characters(min_codepoint=32, max_codepoint=126))
    changed = text[:place] + new + text[place + 1 :]
    try:
        report = verify_proof(changed, checkpoint)
    except InputError:
        return
    if report.ok:  # only the sentence is not bound: it is made anew from the records
        assert report.sentence == Proof.from_json(text).sentence
        again, original = json.loads(changed), json.loads(text)
        again.pop("sentence"), original.pop("sentence")
        assert again == original


_PROOF = []


def _proof(factory):
    if not _PROOF:
        with AuditLog.create(factory.mktemp("p") / "a.db", durability="off") as log:
            search(log, "T1")
            proof = log.prove_not_searched("T1", "immigration")
            _PROOF.append((proof.to_json(), proof.checkpoint))
    return _PROOF[0]


def test_parts_of_proofs_cannot_be_mixed(log):
    one = log.prove_not_searched("T1", "immigration")
    two = log.prove_withheld("T2", "immigration", one.checkpoint)
    mixed = (
        replace(one, tcn="T2"),
        replace(one, partition="criminal"),
        replace(one, claim="WITHHELD"),
        replace(one, records=two.records, paths=two.paths),
        replace(one, records=one.records[::-1], paths=one.paths[::-1]),
        replace(one, records=(one.records[0], two.records[1]), paths=(one.paths[0], two.paths[1])),
        replace(one, records=(), paths=()),
        replace(one, paths=one.paths[:1]),
        replace(one, records=one.records[:1], paths=one.paths[:1]),
    )
    for proof in mixed:
        report = verify_proof(proof)
        assert not report.ok
        assert report.why
        assert report.sentence == ""


@pytest.mark.parametrize("text", ["", "{}", "[]", "nul", b"\xff\xff", "[" * 9999, '{"proof":1.5}'])
def test_what_is_no_proof_is_refused(text):
    with pytest.raises(InputError):
        verify_proof(text)


def test_an_export_shows_only_what_it_should_and_verifies(log, tmp_path):
    target = tmp_path / "out.jsonl"
    checkpoint = log.export(target)
    report = verify_export(target, checkpoint)
    assert report.ok, report.why
    assert report.records == checkpoint.size
    text = target.read_text()
    for hidden in ("probe-one", "badge-4711", '"T1"'):
        assert hidden not in text
    assert "SEARCHED_WITHHELD" in text
    assert '"/partitions/immigration/n_candidates":{"commitment"' in text
    assert (report.shown, report.struck) != (0, 0)
    assert [r.fields["actor"] for r in AuditLog.open(log.path).records(kind="EXPORT")] == ["x"]


def test_what_is_revealed_and_where_can_be_chosen(log, tmp_path):
    every, some, none = (tmp_path / name for name in ("every", "some", "none"))
    log.export(every, reveal=["*"])
    assert "badge-4711" in every.read_text()
    assert verify_export(every).struck == 0
    log.export(some, where=lambda r: r.kind == "INTENT")
    assert "SEARCHED_WITHHELD" not in some.read_text()
    assert "ORI_DEACTIVATED" in some.read_text()
    log.export(none, reveal=[])
    assert verify_export(none).shown == 0
    assert verify_export(none).ok
    assert "/partitions/*/outcome" in PUBLIC_FIELDS


def test_an_export_changed_in_any_way_is_found(log, tmp_path):
    target = tmp_path / "out.jsonl"
    early = log.checkpoint()
    checkpoint = log.export(target)
    lines = target.read_text().splitlines()
    changes = {
        "cut": lines[:-1],
        "dropped": lines[:3] + lines[4:],
        "swapped": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "doubled": [*lines, lines[-1]],
        "edited": [x.replace("ORI_DEACTIVATED", "NO_GRANT", 1) for x in lines],
    }
    for name, changed in changes.items():
        target.write_text("\n".join(changed))
        for known in (None, checkpoint, early):
            report = verify_export(target, known)
            assert not report.ok, name
            assert report.why


def test_an_export_is_held_against_the_witness_of_that_log(log, tmp_path):
    target = tmp_path / "out.jsonl"
    early = log.checkpoint()
    log.export(target)
    assert verify_export(target, early).ok
    assert not verify_export(target, replace(early, root="00" * 32)).ok
    assert not verify_export(target, replace(early, log_id="other")).ok
    assert not verify_export(target, replace(early, size=10**6)).ok


@settings(max_examples=300, deadline=None)
@given(draws=st.data())
def test_damaged_exports_give_errors_of_our_own_tree(draws, tmp_path_factory):
    content = _export(tmp_path_factory)
    kind = draws.draw(st.sampled_from(["truncate", "flip", "garbage", "insert"]))
    place = draws.draw(st.integers(0, len(content) - 1))
    if kind == "truncate":
        damaged = content[:place]
    elif kind == "flip":
        other = bytes([content[place] ^ draws.draw(st.integers(1, 255))])
        damaged = content[:place] + other + content[place + 1 :]
    elif kind == "garbage":
        damaged = draws.draw(st.binary(max_size=200))
    else:
        damaged = content[:place] + draws.draw(st.binary(min_size=1, max_size=9)) + content[place:]
    target = tmp_path_factory.mktemp("x") / "export"
    target.write_bytes(damaged)
    try:
        report = verify_export(target)
    except InputError:
        return
    assert not report.ok or _same(damaged, content)


def _same(damaged, content):
    """White space between lines says nothing; so does one spelling of JSON or another."""
    lines = [json.loads(x) for x in damaged.splitlines() if x.strip()]
    return lines == [json.loads(x) for x in content.splitlines()]


_EXPORT = []


def _export(factory):
    if not _EXPORT:
        folder = factory.mktemp("e")
        with AuditLog.create(folder / "a.db", durability="off") as log:
            search(log, "T1")
            log.export(folder / "out")
        _EXPORT.append((folder / "out").read_bytes())
    return _EXPORT[0]


def test_an_export_that_cannot_be_written_leaves_nothing(log, tmp_path):
    with pytest.raises(AuditError, match="cannot be written"):
        log.export(tmp_path / "absent" / "out.jsonl")
    with pytest.raises(InputError):
        verify_export(tmp_path / "absent")
    assert not list(tmp_path.glob("*.part"))


def struck(proof, which, path):
    """The proof with one field struck out, as anybody can do who holds it."""
    said = json.loads(proof.to_json())
    fields = said["records"][which]["fields"]
    shown = fields[path]
    text = f"{canonical.value_text(path, '')}:{canonical.value_text(shown['value'], path)}"
    fields[path] = {"commitment": hashing.commitment(bytes.fromhex(shown["salt"]), text)}
    return json.dumps(said)


def test_nothing_that_a_claim_rests_on_can_be_struck_out(log):
    for proof in (
        log.prove_not_searched("T1", "immigration"),
        log.prove_withheld("T2", "immigration"),
    ):
        tried = 0
        for which, record in enumerate(proof.records):
            for path, said in record["fields"].items():
                if "value" in said:
                    report = verify_proof(struck(proof, which, path))
                    assert not report.ok, path
                    assert not report.sentence
                    tried += 1
        assert tried > 10
        assert verify_proof(proof.to_json()).ok


def test_a_hidden_rule_is_not_called_no_rule(log):
    proof = log.prove_not_searched("T1", "immigration")
    report = verify_proof(struck(proof, 0, "/partitions/immigration/rules"))
    assert "strikes out /partitions/immigration/rules" in report.why
