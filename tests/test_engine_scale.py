"""How large prints may be: searches of probes whose resolution is in doubt."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
from engine_helpers import HELD, KEEPS, LATER, ON, engine, folder, print_of, request
from test_engine_properties import approximate

from fpmatch import parameters
from fpmatch.audit.records import COUNTERS
from fpmatch.cluster import Cluster
from fpmatch.descriptor import encode, encode_scales, pack
from fpmatch.errors import InputError
from fpmatch.index import PartitionIndex
from fpmatch.index.rounds import Question, Step
from fpmatch.index.scales import AtScale, ScaledShard, best_groups, best_rows
from fpmatch.index.shortlist import Shortlist
from fpmatch.index.subject import Subjects
from fpmatch.matcher import compare, fuse
from fpmatch.parameters import SCALE
from fpmatch.search import Engine, run
from fpmatch.search.run import parameters_digest
from fpmatch.synthetic.gallery import mates, templates
from fpmatch.template.scaling import scaled
from fpmatch.types import FingerPosition, Record

WRONG = (0.84, 1.19)
MANY = len(SCALE.factors)


def wrong_of(person, factor=WRONG[0], **more):
    """A touch as it is where its image was read with a wrong resolution."""
    return scaled(print_of(person, 5, minutiae=32, **more), factor)


def crowd(prefix="C", count=12):
    return [Record(f"{prefix}-{i}", [print_of(i, minutiae=32)]) for i in range(count)]


def world():
    return {"criminal": crowd(), "immigration": crowd("I", 9)}


def names(section):
    return [c.record for c in section.candidates if c.score >= 40]


@pytest.mark.parametrize("factor", WRONG)
def test_a_print_of_a_wrong_resolution_is_found_where_that_is_asked_for(factor):
    with engine(world()) as e:
        asked = request(fingers=[wrong_of(3, factor)])
        assert names(e.search(asked)["criminal"]) == []
        asked = dataclasses.replace(asked, scale="any", tcn="")
        response = e.search(asked)
        assert names(response["criminal"]) == ["C-3"]
        assert names(response["immigration"]) == ["I-3"]


@pytest.mark.parametrize("rotation", ["upright", "any"])
def test_each_score_is_that_of_the_comparison_of_the_pair(rotation):
    probe = wrong_of(3)
    how = {"rotation": rotation, "scale": "any"}
    with engine(world()) as e:
        response = e.search(
            request(fingers=[probe], threshold=-100, max_candidates=100, **how)
        )  # fmt: skip
        listed = response["criminal"].candidates
        assert len(listed) == 12
        for candidate in listed:
            held = print_of(int(candidate.record[2:]), minutiae=32)
            expected = compare(probe, held, **how)
            assert candidate.score == expected.value
            assert [f.score for f in candidate.fingers] == [expected.value]
            found = e.verify(
                request(fingers=[probe], **how), candidate.record, partition="criminal"
            )
            assert found.score == expected.value
        assert listed[0].score > 40 > listed[1].score


def test_several_fingers_are_each_taken_at_their_own_scale():
    """Two photographs of two distances; and the evidence is fused as it is of prints."""
    left = FingerPosition.LEFT_INDEX
    held = [print_of(3, minutiae=32), print_of(3, 0, left, 32)]
    probe = [wrong_of(3, WRONG[0]), wrong_of(3, WRONG[1], position=left)]
    people = {"criminal": [*crowd(), Record("C-two", held)], "immigration": []}
    with engine(people) as e:
        (first, *_) = e.search(request(fingers=probe, scale="any"))["criminal"].candidates
        each = [compare(p, h, scale="any").value for p, h in zip(probe, held, strict=True)]
        assert first.record == "C-two"
        assert [f.score for f in first.fingers] == each
        assert first.score == fuse(each)
        # Impressions of one finger: the best of them, and of so many tries.
        again = wrong_of(3, 1.0)
        asked = request(fingers=[probe[0], again], scale="any", threshold=-100)
        found = {c.record: c for c in e.search(asked)["criminal"].candidates}
        best = max(compare(p, held[0], scale="any").value for p in (probe[0], again))
        assert found["C-3"].score == fuse([best], [2])


def test_a_template_too_large_for_a_scale_is_worth_what_its_comparison_is():
    probe = dataclasses.replace(wrong_of(3, WRONG[1]), width=7900, height=7900)
    assert len(encode_scales(probe)) == MANY - 2
    with engine(world()) as e:
        (first, *_) = e.search(request(fingers=[probe], scale="any"))["criminal"].candidates
        assert first.score == compare(probe, print_of(3, minutiae=32), scale="any").value
        both = [probe, wrong_of(3, WRONG[0], position=FingerPosition.LEFT_INDEX)]
        found = e.search(request(fingers=both, scale="any"))["criminal"].candidates
        assert found[0].record == "C-3"


def test_notes_on_the_fingers_are_of_the_scale_that_was_asked_for():
    one, other = wrong_of(3), print_of(3, 6, FingerPosition.LEFT_INDEX, 32)
    other = dataclasses.replace(
        print_of(3, minutiae=32), position=FingerPosition.LEFT_INDEX
    )  # fmt: skip
    with engine(world()) as e:
        assert e.search(request(fingers=[one, other])).notes == ()
        (note,) = e.search(request(fingers=[one, other], scale="any")).notes
        assert note.score == compare(one, other, scale="any").value
        found = e.search(request(fingers=[one, other], scale="any", positions="any"))
        assert len(found["criminal"].candidates[0].fingers) == 1


def test_searches_of_one_list_are_answered_as_each_alone(monkeypatch):
    approximate(monkeypatch)
    with engine({"criminal": crowd(count=40), "immigration": []}) as e:
        asked = [
            request(fingers=[wrong_of(n, factor)], scale=scale, threshold=-100, tcn="")
            for n, factor in ((1, WRONG[0]), (2, WRONG[1]), (3, 1.0))
            for scale in ("stated", "any")
        ]
        together = [r["criminal"].candidates for r in e.search_many(asked)]
        assert together == [e.search(a)["criminal"].candidates for a in asked]
        assert [t[0].record for t in together[1::2]] == ["C-1", "C-2", "C-3"]


def test_barred_records_leave_no_trace(monkeypatch):
    """Byte for byte the answer of a gallery without them, through lists and verification."""
    approximate(monkeypatch)
    rng = np.random.default_rng(5)
    barred = {f"C-{i}" for i in rng.choice(40, 22, replace=False)}
    every = [
        dataclasses.replace(r, protected=r.record in barred) for r in crowd(count=40)
    ]  # fmt: skip
    with (
        engine({"criminal": every, "immigration": []}) as masked,
        engine({"criminal": [r for r in every if not r.protected], "immigration": []}) as without,
    ):
        for effort in ("fast", "balanced", "scan", "exhaustive"):
            for person in range(5):
                probe = [wrong_of(person, WRONG[person % 2])]
                if person % 3 == 0:
                    probe.append(wrong_of(person, 1.0, position=FingerPosition.LEFT_INDEX))
                how = {"scale": "any", "effort": effort, "threshold": -100}
                asked = request(fingers=probe, tcn=f"{effort}{person}", **how)
                one, other = masked.search(asked), without.search(asked)
                assert one.to_bytes() == other.to_bytes()
                assert one["criminal"].candidates is not None


def test_the_log_says_that_it_was_asked_and_counts_all_of_it():
    with engine(world()) as e:
        for scale in ("stated", "any"):
            e.search(request(fingers=[wrong_of(3)], scale=scale))
        e.search(request(fingers=[wrong_of(3)], scale="any", rotation="any"))
        intents = list(e.audit.records(kind="INTENT"))
        assert [r.fields["scale"] for r in intents] == ["stated", "any", "any"]
        digests = [r.fields["parameters_digest"] for r in intents]
        assert digests == [parameters_digest(), parameters_digest("any"), parameters_digest("any")]
        assert digests[0] != digests[1]
        counted = [r.partitions["criminal"] for r in e.audit.records(kind="OUTCOME")]
        assert [c["stage2"] for c in counted] == [12, 12 * MANY, 12 * MANY]
        assert [c["live"] for c in counted] == [12, 12, 12]


def test_shortlists_of_all_scales_are_counted(monkeypatch):
    approximate(monkeypatch)
    with engine({"criminal": crowd(count=40), "immigration": []}) as e:
        for scale in ("stated", "any"):
            e.search(request(fingers=[wrong_of(3)], scale=scale, effort="scan"))
        one, several = (r.partitions["criminal"] for r in e.audit.records(kind="OUTCOME"))
        assert several["stage1"] == MANY * one["stage1"] > 0
        assert several["codes"] == MANY * one["codes"] > 0
        assert several["live"] == one["live"] == 40


def test_a_search_played_again_gives_the_same():
    with engine(world()) as e:
        asked = request(fingers=[wrong_of(3)], scale="any")
        seq = e.search(asked).audit_seq
        assert e.replay(seq, asked).ok
        other = e.replay(seq, dataclasses.replace(asked, scale="stated"))
        assert not other.ok
        assert "parameters_digest" in dict(other.partitions)["criminal"]


def test_a_kept_probe_keeps_its_scale():
    with engine(world()) as e:
        first = e.search(request(LATER, fingers=[wrong_of(3)], scale="any"))
        later = e.report_event(first["immigration"].token, "CONVICTION")
        assert names(later["immigration"]) == ["I-3"]
        e.search(request(KEEPS, fingers=[wrong_of(20)], scale="any", retain=True))
        e.enrol("immigration", [Record("I-20", [print_of(20, minutiae=32)])])
        (again,) = e.cascade("immigration")
        assert names(again["immigration"]) == ["I-20"]
        assert [r.fields["scale"] for r in e.audit.records(kind="INTENT")] == ["any"] * 4


def test_paired_minutiae_are_those_of_the_best_scale():
    from engine_helpers import POLICY

    shown = POLICY.replace(
        'owner = "DOJ-FBI"\n', 'owner = "DOJ-FBI"\nminutiae_roles = ["officer"]\n', 1
    )
    probe = wrong_of(3)
    with engine(world(), text=shown) as e:
        asked = request(fingers=[probe], scale="any", minutiae=True, role="officer")
        (first, *_) = e.search(asked)["criminal"].candidates
        pairing = first.fingers[0].pairing
        expected = compare(probe, print_of(3, minutiae=32), scale="any").pairs.tolist()
        assert [[a.index, b.index] for a, b in pairing.pairs] == expected
        assert len(expected) > 10
        assert (pairing.pairs[0][0].x, pairing.pairs[0][0].y) == tuple(probe.xy[expected[0][0]] / 8)


@pytest.mark.parametrize("several", [1, 2])
def test_hosts_answer_as_one_process_does(several, monkeypatch):
    approximate(monkeypatch)
    place = folder()
    try:
        with engine({"criminal": crowd(count=40), "immigration": []}) as one:
            shutil.copytree(one._state.folder, place / "many")
            cluster = Cluster.start(place / "c", ["a", "b", "c"], replicas=2, buckets=8)
            options = {"shards": cluster, "clock": one._state.clock, "durability": "off"}
            with Engine.open(place / "many", "rw", **options) as many:
                for person in range(3):
                    probe = [wrong_of(person, WRONG[person % 2])]
                    if several > 1:
                        probe.append(wrong_of(person, 1.0, position=FingerPosition.LEFT_INDEX))
                    asked = request(fingers=probe, scale="any", threshold=-100, tcn=f"T{person}")
                    here, there = one.search(asked), many.search(asked)
                    assert here.to_bytes() == there.to_bytes()
                    assert there["criminal"].candidates[0].record == f"C-{person}"
                counts = [
                    [
                        [r.partitions["criminal"][name] for name in COUNTERS]
                        for r in e.audit.records(kind="OUTCOME")
                    ]
                    for e in (one, many)
                ]
                assert counts[0] == counts[1]
            cluster.close()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def test_a_deadline_or_a_cancel_meets_it_between_scales():
    class Late:
        asked = 0

        def is_set(self):
            self.asked += 1
            return self.asked > 9

    from fpmatch.errors import SearchCancelled

    with engine(world()) as e:
        with pytest.raises(SearchCancelled):
            e.search(request(ON, fingers=[wrong_of(3)], scale="any"), cancel=Late())
        said = e.search(request(ON, fingers=[wrong_of(3)], scale="any", deadline_ms=1e-6))
        assert not said["criminal"].complete
        assert said["criminal"].candidates == ()


def test_what_is_not_reached_at_every_scale_is_no_candidate(monkeypatch):
    """A row has no best of five before the fifth; what was compared is counted all the same."""
    from fpmatch.index import UNVERIFIED, PartitionSearch

    real, calls = PartitionSearch.verify, []

    def verify(self, probe, rows):
        calls.append(len(rows))
        got = real(self, probe, rows)
        if len(calls) == 4:
            got[::2] = UNVERIFIED
        return got

    monkeypatch.setattr(PartitionSearch, "verify", verify)
    with engine({"criminal": crowd(), "immigration": []}) as e:
        asked = request(fingers=[wrong_of(3)], scale="any", threshold=-100, partitions=["criminal"])
        section = e.search(asked)["criminal"]
        assert not section.complete
        assert len(section.candidates) == 6
        (outcome,) = e.audit.records(kind="OUTCOME")
        assert outcome.partitions["criminal"]["stage2"] == 12 * MANY - 6


def test_a_scale_that_is_none_is_refused_before_anything_is_logged():
    with engine() as e:
        for wrong in ("", "Any", 1.2, None, ["any"], "upright"):
            with pytest.raises(InputError, match="scale"):
                e.search(request(scale=wrong))
        assert not list(e.audit.records(kind="INTENT"))


def test_who_sees_no_result_sees_none_of_it():
    """Withheld: as many records and the same words, whether or not a scale finds someone."""
    with engine(world()) as full, engine({"criminal": crowd(), "immigration": []}) as empty:
        asked = request(HELD, fingers=[wrong_of(3)], scale="any")
        said = [e.search(asked)["immigration"] for e in (full, empty)]
        assert said[0] == said[1]


# -- lists of several scales -----------------------------------------------------------------------


def a_list(pairs, *, exhaustive=False):
    ids, votes = np.array(pairs, np.int64).reshape(-1, 2).T
    return Shortlist(ids.copy(), votes.copy(), exhaustive)


def test_a_row_counts_by_its_best_votes_and_ties_break_by_row():
    lists = [a_list([(7, 50), (3, 40), (9, 10)]), a_list([(9, 50), (7, 45), (2, 40)]), a_list([])]
    found = best_rows(iter(lists))
    assert found.row_ids.tolist() == [7, 9, 2]
    assert found.votes.tolist() == [50, 50, 40]
    assert best_rows([a_list([]), a_list([])]).row_ids.tolist() == []
    assert best_rows(reversed(lists)).row_ids.tolist() == [7, 9, 2]


def test_where_one_lists_every_row_no_other_is_asked():
    def lists():
        yield a_list([(1, 5)])
        yield a_list([(1, 0), (2, 0)], exhaustive=True)
        raise AssertionError("asked for more")

    assert best_rows(lists()).exhaustive
    assert best_rows(lists()).row_ids.tolist() == [1, 2]


def test_groups_of_several_scales_bring_the_rows_of_those_that_stay():
    group_of_row = np.array([0, 0, 1, 1, 2, 2, 3])
    first = Subjects(np.array([1, 0]), np.array([30, 20]), (np.array([0, 2]), np.array([1, 3])))
    other = Subjects(np.array([3, 2]), np.array([25, 30]), (np.array([4, 6]), np.array([5])))
    found = best_groups([first, other], group_of_row)
    assert found.groups.tolist() == [1, 2]
    assert found.votes.tolist() == [30, 30]
    assert [rows.tolist() for rows in found.row_ids] == [[2, 4], [3, 5]]


def test_rounds_of_a_scale_that_is_not_there_are_refused():
    class Shard:
        asked = ()

        def ask(self, question):
            self.asked = (*self.asked, question.scale)
            return question.step

    several = [Shard(), Shard()]
    shard = ScaledShard(several)
    assert AtScale([shard], 1).ask(Question(Step.COUNT)) == [Step.COUNT]
    assert [s.asked for s in several] == [(), (0,)]
    for wrong in (2, -1):
        with pytest.raises(InputError, match="scale"):
            shard.ask(Question(Step.COUNT, scale=wrong))


@pytest.mark.parametrize("effort", ["balanced", "scan"])
def test_lists_of_several_scales_find_mates_of_wrong_resolutions(tmp_path, small, effort):
    rows = np.arange(120)
    wrong = [scaled(t, WRONG[n % 2]) for n, t in enumerate(mates(12, 31))]
    with PartitionIndex.create(tmp_path / "i", expected_fingers=1000) as index:
        index.add(rows, pack([encode(t) for t in templates(120, 31)]), np.zeros(120, np.uint8))
        index.flush()

        def votes(forms_of):
            """Of each probe those of its mate; 0 where it is not on the list."""
            out = []
            for n, probe in enumerate(wrong):
                search = index.begin(effort=effort)
                found = best_rows(search.shortlist(form) for form in forms_of(probe))
                assert len(found.row_ids) == 4
                out.append(int(found.votes[found.row_ids == n].sum()))
            return np.array(out)

        stated, tried = votes(lambda t: (encode(t),)), votes(encode_scales)
        # Others have five chances as well: one in twelve may come before a poor mate.
        assert (tried >= stated).sum() >= 11
        assert np.median(tried) > 1.3 * np.median(stated)
        assert (tried > 0).sum() >= 10


@pytest.mark.parametrize("changed", [n for n in dir(parameters) if n.startswith("EFFORT_")])
def test_the_log_tells_searches_of_other_efforts_apart(changed, monkeypatch):
    before = run.parameters_digest.__wrapped__()
    effort = getattr(parameters, changed)
    other = dataclasses.replace(effort, verified_least=effort.verified_least + 1)
    monkeypatch.setattr(run, changed, other)
    assert run.parameters_digest.__wrapped__() != before


def test_the_log_tells_searches_of_other_sketches_apart(monkeypatch):
    before = run.parameters_digest.__wrapped__()
    monkeypatch.setattr(run, "sketch_hash", lambda: "other")
    assert run.parameters_digest.__wrapped__() != before
