# ruff: noqa: E501, T201
"""Break each guard of the engine in turn and see that some test notices.

Run ``python tests/engine_mutations.py --jobs 2 --write`` from the top folder; it works on copies in
temporary folders and prints one line for each mutation. `docs/mutations.md` holds the result.
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "mutations.md"
STALE = "its text is no longer there"
LONGEST = 1200
"""Seconds after which a run counts as hanging: what was broken may wait for ever."""
NONE_CHOSEN = 5
"""What pytest returns where no test has the name."""
TESTS = (
    "test_index_coding.py",
    "test_engine_leaks.py",
    "test_engine_later.py",
    "test_damaged.py",
    "test_expunge_many.py",
    "test_engine.py",
    "test_engine_crash.py",
    "test_gallery_snapshot.py",
    "test_attack_opaque.py",
    "test_engine_looking.py",
    "test_engine_opting_out.py",
    "test_engine_enrolment.py",
    "test_cli_interrupt.py",
    "test_attack_journal.py",
    "test_attack_once.py",
    "test_attack_storage.py",
    "test_tails.py",
    "test_upkeep_backup.py",
    "test_attack_upkeep.py",
    "test_attack_processes.py",
    "test_attack_bans.py",
    "test_attack_owners.py",
    "test_checks.py",
    "test_attack_minutiae.py",
    "test_examiner.py",
    "test_audit_reports.py",
    "test_audit_proof.py",
    "test_read_write_lock.py",
    "test_house_fields.py",
    "test_search_seam.py",
    "test_engine_lying.py",
    "test_engine_sequence.py",
    "test_matcher_claims.py",
    "test_ebts_answers.py",
    "test_transact.py",
    "test_beside_writer.py",
    "test_abis.py",
    "test_formats_cbeff.py",
    "test_formats_ebts.py",
    "test_formats_itl.py",
    "test_bulk_export.py",
    "test_bulk.py",
    "test_update.py",
    "test_once.py",
    "test_cluster.py",
    "test_cluster_asking.py",
    "test_cluster_moving.py",
    "test_cluster_replies.py",
    "test_index_files.py",
    "test_copies.py",
    "test_index_kernels.py",
    "test_upkeep_check.py",
    "test_engine_scale.py",
    "test_encryption.py",
)

UNSEEN = {"a batch shared across roles"}
"""Change nothing that a test could see; `docs/security.md` says why."""

MUTATIONS: tuple[tuple[str, str, str, str], ...] = (
    (
        "memory shows what was expunged",
        "search/removal.py",
        "            removal.show(state.gallery, done)\n",
        "",
    ),
    (
        "of many under a key the first alone is answered again",
        "search/removal.py",
        "answers.once(state.gallery, key, n, short, first.once.at)",
        "None",
    ),
    (
        "one record goes twice",
        "gallery/removal.py",
        "        if len(set(every)) < len(every):\n",
        "        if False:\n",
    ),
    (
        "a number that was forgotten is not looked up",
        "search/state.py",
        "        if len(found) < len(wanted):\n",
        "        if False:\n",
    ),
    (
        "removals that were cut off are answered and done again",
        "gallery/removal.py",
        "                gallery.forget_answer(database, before.note)\n",
        "",
    ),
    (
        "a commit that was cut off is not shown by the next call",
        "search/removal.py",
        "                state.behind |= places\n",
        "                pass\n",
    ),
    (
        "a false digest is taken out of a root",
        "gallery/removing.py",
        "        sound = is_sound(database, key)\n",
        "        sound = True\n",
    ),
    (
        "impressions that no event holds stay when their record goes",
        "gallery/removing.py",
        "WHERE h.finger = f.key AND e.record = f.record)",
        "WHERE h.finger = f.key OR 1)",
    ),
    (
        "columns without a record's name go into a file",
        "gallery/loading.py",
        "self._kept.get(partition) == stamp or columns.unnamed:",
        "self._kept.get(partition) == stamp:",
    ),
    (
        "a damaged probe keeps its templates when it is cancelled",
        "ledger/ledger.py",
        "self._destroy_unnamed(database)",
        "pass",
    ),
    (
        "a suspect is asked first",
        "cluster/suspects.py",
        "return tuple(sorted(replicas, key=self._list.__contains__))",
        "return tuple(replicas)",
    ),
    (
        "a replica that holds something else is mixed in",
        "cluster/asking.py",
        "if essence != talk.answers[number]:",
        "if False:",
    ),
    (
        "no hedge",
        "cluster/asking.py",
        "elif all(self._is_late(leg, now) for leg in talk.running):",
        "elif False:",
    ),
    (
        "a host that answers pings is given up",
        "cluster/asking.py",
        "leg.ping, leg.heard = None, now",
        "leg.ping = None",
    ),
    (
        "what is no answer is taken for one",
        "cluster/asking.py",
        'self._leave(talk, leg, "refused")\n                return None',
        "return answer",
    ),
    (
        "a search waits again for a host that it knows to be silent",
        "cluster/asking.py",
        "if talk.running and not self._is_replaceable(talk, talk.running[0].host):",
        "if talk.running:",
    ),
    (
        "nobody is told that a host is being hedged",
        "cluster/asking.py",
        "            self._suspect_silent(talk, now)\n            self._another",
        "            self._another",
    ),
    (
        "time in which the coordinator stood still is a host's silence",
        "cluster/asking.py",
        "if late > 0 else ()",
        "if False else ()",
    ),
    (
        "the same replicas are always asked first",
        "cluster/asking.py",
        "first = random.randrange(max(len(replicas), 1))",
        "first = 0",
    ),
    (
        "a search does not wait for a host that is being brought level",
        "cluster/cluster.py",
        "held=True, patience=most, until=until)",
        "held=True)",
    ),
    (
        "a search waits for the last replica beyond its deadline",
        "cluster/partition.py",
        "(math.inf if deadline is None else deadline) if wait else None",
        "math.inf if wait else None",
    ),
    (
        "a search takes buckets that were moved for lost ones",
        "cluster/partition.py",
        "if whole or last or layout is self.meeting.layout:",
        "if True:",
    ),
    (
        "a change keeps searches waiting for a silent host",
        "cluster/keeper.py",
        "                line = replace(line, silent=patience, until=until)\n",
        "                pass\n",
    ),
    (
        "a removal fails for hosts that were only slow",
        "cluster/keeper.py",
        "        if not held:\n            # Nobody",
        "        if False:\n            # Nobody",
    ),
    (
        "a row that is gone for good is named missing again",
        "index/held.py",
        " | np.isin(row_ids, self._expunged)",
        "",
    ),
    (
        "a row removed between two rounds is as one that never was",
        "index/verifying.py",
        "        scores[gone[~np.isin(row_ids[gone], search.tombstoned)]] = REMOVED\n",
        "",
    ),
    (
        "a row removed between two rounds is refused as barred",
        "cluster/conversations.py",
        "if not (self.masked.of(part)[at] | gone).all():",
        "if not self.masked.of(part)[at].all():",
    ),
    (
        "an encrypted value is bound to no place",
        "encryption/box.py",
        '[self._about, *(str(part).encode("utf-8", "surrogatepass") for part in place)]',
        "[self._about]",
    ),
    (
        "a file's pieces are bound to no file",
        "encryption/files.py",
        "        place = path.relative_to(self._folder).as_posix()\n",
        '        place = ""\n',
    ),
    (
        "pieces of a file in any order",
        "encryption/files.py",
        '    return number.to_bytes(12, "little")\n',
        "    return bytes(12)\n",
    ),
    (
        "a key file that others may read",
        "encryption/ring.py",
        'if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):',
        "if False:",
    ),
    (
        "keys of another gallery's database",
        "gallery/cipher.py",
        "    if found != (None if chest is None else chest.gallery):",
        "    if False:",
    ),
    (
        "a removed record's key stays",
        "gallery/removing.py",
        "            gallery.cipher.drop_facts(database, key)\n",
        "",
    ),
    (
        "a removed template's key stays",
        "gallery/cipher.py",
        "        super().drop_template(database, number)\n        self.keys.destroy(database, number)\n",
        "        super().drop_template(database, number)\n",
    ),
    (
        "a destroyed probe's key stays",
        "ledger/ledger.py",
        "            self.cipher.destroy(database, key)\n",
        "",
    ),
    (
        "names in the notes of removals",
        "gallery/journal.py",
        '        return self.cipher.values.put_text(json.dumps(fields), "removal", name)\n',
        "        return json.dumps(fields)\n",
    ),
    (
        "item keys in a backup",
        "upkeep/keys_apart.py",
        '    database.execute("UPDATE data_key SET wrapped = zeroblob(length(wrapped))")\n',
        "",
    ),
    (
        "item keys that are older than the backup",
        "upkeep/keys_apart.py",
        "            if taken.last[store] < newest:",
        "            if False:",
    ),
    (
        "records whose keys were destroyed are restored",
        "upkeep/restore.py",
        "        return sum(drop_unreadable(gallery))\n",
        "        return 0\n",
    ),
    (
        "a renewal that leaves files under the old key",
        "search/rekeying.py",
        "        files += sum(placing.renew(index) for index in list(state.indexes.values()))\n",
        "",
    ),
    (
        "a renewal that leaves probes under the old key",
        "search/rekeying.py",
        "    probes = renew_ledger(state.ledger)\n",
        "    probes = 0\n",
    ),
    (
        "a process that goes on under the key of before",
        "encryption/chest.py",
        "        if self._seen != _seen(self._folder):",
        "        if False:",
    ),
    (
        "digests that names are found by are not checked",
        "upkeep/check_records.py",
        "        if gallery.cipher.columns(database, key, facts) != (name, identity, contributor):",
        "        if False:",
    ),
    (
        "an update of any version",
        "gallery/updating.py",
        "if wanted.version is not None and wanted.version != version_of(item):",
        "if False:",
    ),
    (
        "what an update replaces is left in the files",
        "search/updating.py",
        "    if out.id:\n        # No search",
        "    if False:\n        # No search",
    ),
    (
        "bans of an update that no policy knows",
        "search/updating.py",
        "accept=lambda uses: known_uses(state, Record(name, (), banned_uses=uses)),",
        "accept=lambda uses: None,",
    ),
    (
        "an update without an order",
        "search/updating.py",
        "    check_order(order, authority)\n",
        "",
    ),
    (
        "replaced impressions come back with an older backup",
        "gallery/updating.py",
        "                if rows:\n                    marked",
        "                if False:\n                    marked",
    ),
    (
        "an update of facts that readers do not follow",
        "gallery/updating.py",
        '"UPDATE record SET identity = ?, contributor = ?, protected = ?, banned = ? "\n'
        '                "WHERE id = ?",\n'
        "                (identity, contributor, new.protected, _text(new.banned), key),",
        '"UPDATE record SET identity = ?, contributor = ? WHERE id = ?",\n'
        "                (identity, contributor, key),\n            )\n"
        "            if (new.protected, new.banned) != (old.protected, old.banned):\n"
        "                database.execute(\n"
        '                    "UPDATE record SET protected = ?, banned = ? WHERE id = ?",\n'
        "                    (new.protected, _text(new.banned), key),",
    ),
    (
        "one key for any act",
        "gallery/answers.py",
        '    if not hmac.compare_digest(stored_bytes(call, "the answer to an act"), wanted.call):',
        "    if False:",
    ),
    (
        "names in kept answers",
        "gallery/batch_answers.py",
        "        message = error.message.replace(quoted(name), _NAME)",
        '        message, name = error.message, ""',
    ),
    (
        "a policy that was cut off is not in force",
        "search/administration.py",
        "                state.policy = follow.newest(state)\n                raise",
        "                raise",
    ),
    (
        "searchers for every partition",
        "search/decision.py",
        "if d.probe and not decision.refused and state.searchable",
        "if state.searchable",
    ),
    (
        "an intent that fails is passed over",
        "search/run.py",
        "    running.intent = state.audit.intent(intent, once=True, deadline=running.deadline)",
        "    try:\n        running.intent = state.audit.intent(intent, once=True, deadline=running.deadline)\n    except Exception:\n        pass",
    ),
    (
        "kept probes not narrowed",
        "search/decision.py",
        "    if kept is not None:\n        entries",
        "    if False:\n        entries",
    ),
    (
        "a ban on retained uses not asked",
        "search/running.py",
        'return made | {"retained"} if',
        "return made if",
    ),
    ("failures not logged", "search/run.py", "        fail(state, running, error)\n", ""),
    (
        "the record's protection not passed on",
        "search/running.py",
        "sees_protected=granted.sees_protected",
        "sees_protected=True",
    ),
    ("uses not passed on", "search/running.py", "uses=self.uses,", "uses=frozenset(),"),
    (
        "no second decision",
        "search/release.py",
        "second = later.get(first.partition)",
        "second = first",
    ),
    (
        "release takes the later permissions alone",
        "search/release.py",
        "first.permissions & second.permissions",
        "second.permissions",
    ),
    (
        "release takes the earlier permissions alone",
        "search/release.py",
        "first.permissions & second.permissions",
        "first.permissions",
    ),
    (
        "probe lost at release is ignored",
        "search/release.py",
        " or not second.probe",
        "",
    ),
    (
        "records sealed meanwhile are released",
        "search/release.py",
        "request.max_candidates, request.lowest, barred)",
        "request.max_candidates, request.lowest)",
    ),
    (
        "owners told of records sealed meanwhile",
        "search/release.py",
        "state.hit_score, barred)",
        "state.hit_score)",
    ),
    (
        "owners told without permission",
        "search/release.py",
        "if Permission.NOTIFY in granted.permissions:",
        "if True:",
    ),
    (
        "owners never told",
        "search/release.py",
        "if Permission.NOTIFY in granted.permissions:",
        "if False:",
    ),
    (
        "the submitter's threshold silences owners",
        "search/release.py",
        "most, state.hit_score",
        "most, max(request.lowest, state.hit_score)",
    ),
    ("withheld results shown", "search/release.py", "if not granted.view:", "if False:"),
    (
        "withheld sections say whether it was complete",
        "search/release.py",
        "return PartitionResult(granted.partition, Outcome.SEARCHED_WITHHELD, reason)",
        "return PartitionResult(granted.partition, Outcome.SEARCHED_WITHHELD, reason, candidates=())",
    ),
    (
        "opaque partitions tell",
        "search/release.py",
        "    if granted.opaque:\n        return PartitionResult(truth",
        "    if False:\n        return PartitionResult(truth",
    ),
    (
        "opaque partitions show record ids",
        "search/release.py",
        "    if granted.opaque:\n        shown_to",
        "    if False:\n        shown_to",
    ),
    (
        "opaque ids do not depend on the recipient",
        "search/opaque_ids.py",
        '"\\x00".join((recipient, partition, record))',
        '"\\x00".join((partition, record))',
    ),
    (
        "no mask before ranking in a batch",
        "search/compare.py",
        "self._begin(first, allowed)",
        "self._begin(first, None)",
    ),
    (
        "a batch shared across roles",
        "search/compare.py",
        "key: object = (r.sees_protected, r.uses, r.effort, r.rotation, r.limit)",
        "key: object = (r.uses, r.effort, r.rotation, r.limit)",
    ),
    (
        "a batch shared across uses",
        "search/compare.py",
        "key: object = (r.sees_protected, r.uses, r.effort, r.rotation, r.limit)",
        "key: object = (r.sees_protected, r.effort, r.rotation, r.limit)",
    ),
    (
        "a batch shared across what is asked for",
        "search/compare.py",
        "key: object = (r.sees_protected, r.uses, r.effort, r.rotation, r.limit)",
        "key: object = (r.sees_protected, r.uses, r.effort, r.limit)",
    ),
    (
        "a kept probe forgets which fingers it is compared with",
        "search/kept_probes.py",
        "if f.name not in FOR_THE_FIRST)",
        "if f.name not in {**FOR_THE_FIRST, 'positions': ''})",
    ),
    (
        "a lower rate is claimed than the evidence shows",
        "types/claim.py",
        "Claim(max(rate, least), rate < least,",
        "Claim(rate, rate < least,",
    ),
    (
        "a limit is told as a rate",
        "types/claim.py",
        "Claim(max(rate, least), rate < least,",
        "Claim(max(rate, least), False,",
    ),
    (
        "small prints claim as much as others",
        "matcher/tables.py",
        "size=_evidence(lambda n: -_between(n, p.size_minutiae, p.size_evidence), most + 1),",
        "size=_evidence(lambda n: 0.0, most + 1),",
    ),
    (
        "any rotation has the scale of upright prints",
        "matcher/calibration.py",
        'if rotation == "any":',
        'if rotation == "all":',
    ),
    (
        "labels are minded where they are to be disregarded",
        "search/probe.py",
        "return FingerPosition.UNKNOWN if self.anywhere else position",
        "return position",
    ),
    (
        "poor prints are not told",
        "template/template.py",
        "return self.image_quality < next(least, 0)",
        "return False",
    ),
    (
        "one finger under two labels counts as two",
        "search/sequence.py",
        "under = {label: first if to is last else to for label, to in under.items()}",
        "under = dict(under)",
    ),
    (
        "a kept probe forgets how it may lie",
        "search/kept_probes.py",
        "if f.name not in FOR_THE_FIRST)",
        "if f.name not in {**FOR_THE_FIRST, 'rotation': ''})",
    ),
    (
        "the best of five scales is worth what one comparison is",
        "search/comparison.py",
        "values = best_of(calibrate(each.max(axis=0)[done], request.rotation), len(forms))",
        "values = best_of(calibrate(each.max(axis=0)[done], request.rotation), 1)",
    ),
    (
        "a row counts that was not reached at every scale",
        "search/comparison.py",
        "done = reached.all(axis=0)",
        "done = reached.any(axis=0)",
    ),
    (
        "a probe of several scales shares a pass as if it had one",
        "search/compare.py",
        "one = [len(forms) for _, forms in impressions(request)] == [1]",
        "one = len(impressions(request)) == 1",
    ),
    (
        "a row of two scales is listed twice",
        "index/scales.py",
        "ids, votes = ids[first], votes[first]",
        "pass",
    ),
    (
        "a kept probe forgets its scale",
        "search/kept_probes.py",
        "if f.name not in FOR_THE_FIRST)",
        "if f.name not in {**FOR_THE_FIRST, 'scale': ''})",
    ),
    (
        "failed searches keep their probes",
        "search/run.py",
        "    kept_probes.drop(state, running.intent)\n",
        "",
    ),
    (
        "no mask before ranking",
        "search/compare.py",
        "self._begin(request, allowed, deadline, cancel)",
        "self._begin(request, None, deadline, cancel)",
    ),
    (
        "ties in order of enrolment",
        "search/candidates.py",
        "(-found.scores[i], names[i])",
        "(-found.scores[i], i)",
    ),
    (
        "paired minutiae for every role",
        "search/pairings.py",
        "request.minutiae and granted.view and granted.sees_minutiae)",
        "request.minutiae and granted.view)",
    ),
    (
        "paired minutiae unasked",
        "search/pairings.py",
        "(running.submission.request.minutiae and granted",
        "(granted",
    ),
    (
        "paired minutiae by the earlier decision alone",
        "search/release.py",
        "sees_minutiae=first.sees_minutiae and second.sees_minutiae",
        "sees_minutiae=first.sees_minutiae",
    ),
    (
        "paired minutiae by the later decision alone",
        "search/release.py",
        "sees_minutiae=first.sees_minutiae and second.sees_minutiae",
        "sees_minutiae=second.sees_minutiae",
    ),
    (
        "paired minutiae of what has changed since",
        "search/pairings.py",
        " or best[0].value != finger.score",
        "",
    ),
    (
        "paired minutiae of every candidate however long the list",
        "search/pairings.py",
        "found[: SEARCH.paired_candidates]",
        "found",
    ),
    (
        "paired minutiae of a stored probe",
        "search/pairings.py",
        "if running.apart is not None:",
        "if False:",
    ),
    (
        "paired minutiae after the deadline",
        "search/pairings.py",
        "time.monotonic() >= running.deadline",
        "False",
    ),
    (
        "the page tells of hidden partitions",
        "examiner/evidence.py",
        "if section.reason is not Reason.NOT_DISCLOSED",
        "if True",
    ),
    (
        "names are no words on the page",
        "examiner/page.py",
        'return escape("".join(',
        'return ("".join(',
    ),
    (
        "threshold ignored",
        "search/candidates.py",
        "(found.scores >= threshold)",
        "(found.scores >= -1)",
    ),
    (
        "seals ignored",
        "gallery/columns.py",
        "self.sealed[:count].copy()",
        "self.sealed[:count] & False",
    ),
    ("protection ignored", "gallery/columns.py", "if not sees_protected:", "if False:"),
    ("bans ignored", "gallery/columns.py", "if ban & uses)", "if False)"),
    (
        "cached masks ignore the role",
        "gallery/columns.py",
        "key = (sees_protected, self._hit(uses))",
        "key = (True, self._hit(uses))",
    ),
    (
        "cached masks outlive a seal",
        "gallery/columns.py",
        "        self._cache = {}\n\n\ndef",
        "\n\ndef",
    ),
    (
        "columns of another state believed",
        "gallery/snapshot.py",
        'header["stamp"] != stamp.hex() or',
        "False or",
    ),
    (
        "damaged columns believed",
        "gallery/snapshot.py",
        "if digest != content",
        "if False and digest != content",
    ),
    (
        "columns kept that may not have followed",
        "gallery/loading.py",
        "                self._coming.pop(key, None)\n                if self.known.pop(key, None) is not None:\n                    self._coming[key] = value",
        "                self.known[key] = value",
    ),
    (
        "changes by other hands overlooked",
        "gallery/loading.py",
        "        self.known = {k: v for k, v in self.known.items() if found.get(k) == v}\n",
        "",
    ),
    (
        "expunged names stay in old columns",
        "gallery/loading.py",
        "        snapshot.remove_stale(folder, now, cipher_of(self._database).files)\n",
        "",
    ),
    (
        "messages visible before the outcome",
        "ledger/messages.py",
        "rows = [(m, PENDING, envelope)",
        "rows = [(m, READY, envelope)",
    ),
    (
        "messages of dead searches released",
        "search/outbox.py",
        "            state.ledger.discard(intent)\n    cut_off",
        "            state.ledger.release(intent)\n    cut_off",
    ),
    (
        "failed searches keep their messages",
        "search/outbox.py",
        "    state.ledger.discard(intent)\n\n\ndef rec",
        "    pass\n\n\ndef rec",
    ),
    (
        "expunged records stay in envelopes",
        "search/pending.py",
        "    outbox.forget(state, names)\n",
        "",
    ),
    (
        "envelopes open to anyone",
        "search/outbox.py",
        "if m.id == name and m.owner == owner",
        "if m.id == name",
    ),
    (
        "probes retained unasked",
        "search/kept_probes.py",
        "running.submission.request.retain\n        and ",
        "",
    ),
    (
        "probes retained without permission",
        "search/kept_probes.py",
        "        and one.granted.retain\n",
        "",
    ),
    (
        "retention that ended is ignored",
        "search/decision.py",
        "if Permission.RETAIN not in allowed and decision.probe:",
        "if False:",
    ),
    (
        "earlier permissions of a kept probe ignored",
        "search/decision.py",
        'decision.permissions & Permission(kept.request["sticky"])',
        "decision.permissions",
    ),
    (
        "expired tokens accepted",
        "search/kept_probes.py",
        "    expire(state)\n    kept = ",
        "    kept = ",
    ),
    (
        "any kept probe taken for a deferred one",
        "search/kept_probes.py",
        "state.ledger.claim(token, kind, f",
        "state.ledger.claim(token, found.kind, f",
    ),
    (
        "cancelled probes stay",
        "search/kept_probes.py",
        "    state.ledger.destroy(token)\n\n\ndef exp",
        "    pass\n\n\ndef exp",
    ),
    (
        "a token good for several searches",
        "search/resume.py",
        "        )\n    state.ledger.destroy(kept.token)\n",
        "        )\n    state.ledger.unclaim(kept.token, kept.claimed)\n",
    ),
    ("probes of unanswered searches stay", "search/kept_probes.py", "if not answered or", "if"),
    (
        "write-ahead log not emptied",
        "search/pending.py",
        "        state.gallery.scrub(wait=wait)\n",
        "",
    ),
    (
        "the note of a removal stays in a log that is being read",
        "search/pending.py",
        "            _attempt(lambda: _scrub(state, wait))\n",
        "            _attempt(lambda: _scrub(state, False))\n",
    ),
    (
        "no later call empties a log that was being read",
        "search/pending.py",
        "        _attempt(lambda: _scrub(state, wait=False))\n",
        "        pass\n",
    ),
    (
        "index not purged",
        "search/pending.py",
        "        index.purge()\n",
        "        pass\n",
    ),
    (
        "index rows not tombstoned",
        "search/pending.py",
        "        index.tombstone(np.array(rows, np.int64))\n",
        "        pass\n",
    ),
    (
        "templates not overwritten",
        "gallery/cipher.py",
        '            "UPDATE template SET bytes = zeroblob(length(bytes)) WHERE id = ?", (number,)',
        '            "SELECT ?", (number,)',
    ),
    (
        "waiting probes survive their identity",
        "search/pending.py",
        "            if probe.identity in identities:",
        "            if False:",
    ),
    (
        "rows expunged in a crash stay in the index",
        "search/recovery.py",
        "    if len(extra):",
        "    if False:",
    ),
    (
        "rows enrolled in a crash stay out of the index",
        "search/recovery.py",
        "    if len(missing):",
        "    if False:",
    ),
    ("journal not settled at opening", "search/recovery.py", "        state.log()\n", ""),
    (
        "another probe can be replayed",
        "search/replay.py",
        "if digest != intent.fields",
        "if False and digest != intent.fields",
    ),
    (
        "replay under today's policy",
        "search/replay.py",
        'int(intent.fields["policy_version"])',
        "None",
    ),
    (
        "void rules published",
        "search/administration.py",
        "        if problems:",
        "        if False:",
    ),
    (
        "another owner published",
        "search/opening.py",
        "if (own.name == info.name or own.ndr == info.ndr) and own != info:",
        "if False:",
    ),
    (
        "requested partitions ignored",
        "search/probe.py",
        "request.facts(requested)",
        "request.facts(None)",
    ),
    (
        "opaque protection of what was not searched lost",
        "search/release.py",
        "section = truth if running.decision.refused else shown(truth, granted)",
        "section = truth",
    ),
    ("written although read-only", "search/state.py", 'if self.mode != "rw":', "if False:"),
    (
        "two processes write",
        "search/opening.py",
        "FolderLock(folder, shared=False)",
        "FolderLock(folder, shared=True)",
    ),
    (
        "a reader follows nothing before a call",
        "search/administration.py",
        "        follow.follow(self._opened)\n",
        "",
    ),
    (
        "a reader follows nothing before an answer leaves",
        "search/release.py",
        "    for one in changed:\n",
        "    for one in ():\n",
    ),
    (
        "a batch of other templates is believed",
        "index/tail.py",
        ' and said.get("of") == of(ids)',
        "",
    ),
    (
        "a batch's file of other sketches is taken",
        "index/tail.py",
        "        if found.earlier:\n            continue  # Of a writer of another release.\n",
        "",
    ),
    (
        "sketches of other projections are searched",
        "index/segment.py",
        "return self.layout.attributes.get(SKETCH) != sketch_hash()",
        "return self.layout.attributes.get(SKETCH) is None",
    ),
    (
        "the deep check believes lists and sketches",
        "upkeep/check_index.py",
        "if name := contents.differs(index):",
        'if name := "":',
    ),
    (
        "the deep check takes coded rows as they are",
        "index/contents.py",
        "        _code_alike(part, made)\n",
        '        made.update({n: part.arrays[n] for n in ("row_starts", "row_bytes")})\n',
    ),
    (
        "bits after the last cell are lost",
        "index/_kernels/packing.py",
        "            begin = encode(codes, texture, many, shares, work) if whole else 0\n",
        "            whole = True\n            begin = encode(codes, texture, many, shares, work)\n",
    ),
    (
        "votes of one part are left for the next",
        "index/list_votes.py",
        "            wipe(state, rows)\n",
        "            pass\n",
    ),
    (
        "replay takes other sketches for the same",
        "search/run.py",
        "learned = Learned(sketch_hash())",
        'learned = Learned("")',
    ),
    (
        "a removed record stays in the file of its batch",
        "index/store.py",
        "            self._unannounce(gone)\n",
        "",
    ),
    (
        "the key of a removed record is given again",
        "gallery/putting.py",
        "SELECT value FROM meta WHERE key = 'next_record'",
        "SELECT COALESCE(MAX(id), 0) + 1 FROM record",
    ),
    (
        "protection and bans are those of the backup",
        "upkeep/restore.py",
        "    if orders.bars:\n        _bar(part, orders, chest)\n",
        "",
    ),
    (
        "a reader keeps the policy that it opened with",
        "search/follow.py",
        "        state.policy = newest(state)\n",
        "",
    ),
    (
        "a reader believes changes that were forgotten in part",
        "gallery/changes.py",
        "    if last > seq and oldest > seq + 1:\n        return None\n",
        "",
    ),
    (
        "a reader takes a new record for the removed one of its key",
        "gallery/changes.py",
        "        if ordinal is not None and columns.names[ordinal] != one.name:\n",
        "        if ordinal is not None and not one.name:\n",
    ),
    (
        "a reader searches an index that lacks rows",
        "search/follow.py",
        "    for first in range(0, len(missing), SEARCH.enrol_batch):\n",
        "    for first in ():\n",
    ),
    (
        "two threads move the journal",
        "search/state.py",
        "        with self.logging:\n            self.unlogged",
        "        if True:\n            self.unlogged",
    ),
    (
        "an entry that stays in the journal is logged again",
        "search/state.py",
        "left = {name: one for name, one in new.items() if name not in self._numbers}",
        "left = {name: (kind, fields) for name, kind, fields in waiting}",
    ),
    (
        "an opening does not look what the log has already",
        "search/state.py",
        "        if new and self.recovering:\n",
        "        if False:\n",
    ),
    (
        "the number of another's record",
        "search/state.py",
        "number = self._numbers.get(wanted, 0) if wanted else last",
        "number = max(self._numbers.values(), default=0)",
    ),
    (
        "an answer without its number looks nowhere",
        "search/state.py",
        "            if wanted and not number:\n",
        "            if False:\n",
    ),
    (
        "a proof may hide what it rests on",
        "audit/proof.py",
        "        if hidden:\n",
        "        if False:\n",
    ),
    (
        "a search cut short counts as a miss",
        "audit/reports.py",
        'whole = self.happened(partition).get("complete") is True',
        "whole = True",
    ),
    (
        "the page explains another decision than the logged one",
        "examiner/evidence.py",
        'return answer.text if same == (decided.get("reason"), decided.get("permissions")) else ""',
        "return answer.text",
    ),
    (
        "the page believes a file that it was completed",
        "examiner/evidence.py",
        'return section.candidates is None or said.get("complete") is section.complete',
        "return True",
    ),
    (
        "the page calls a search in part a search",
        "examiner/page.py",
        "    if not section.complete:\n        said = IN_PART\n",
        "",
    ),
    (
        "an error in a withheld partition leaves a record less",
        "search/kept_probes.py",
        "(one.hidden or _failed_quietly(running, one))",
        "one.hidden",
    ),
    (
        "an explanation of a partition of another owner",
        "search/explaining.py",
        "return overruled(found, Reason.PARTITION_MISMATCH)",
        "return found",
    ),
    (
        "an opt-out that a charge undoes is in effect",
        "policy/report.py",
        "return any(can_grant(registry, ori, known, at) for ori in below)",
        'return any(decide(registry, ordinary(registry, o), at, "")[partition].probe for o in below)',
    ),
    (
        "retained probes get tokens",
        "search/release.py",
        "if decision.deferred and not running.retained and",
        "if decision.deferred and",
    ),
    (
        "answers leave when they are ready",
        "search/hold.py",
        "        timer.wait_until(until)\n",
        "        until -= period\n",
    ),
    (
        "failures leave when they happen",
        "search/hold.py",
        "if kind is None or issubclass(kind, Exception):",
        "if kind is None:",
    ),
    (
        "late answers leave when they are ready",
        "search/hold.py",
        "max(turns, math.ceil(passed / period))",
        "turns",
    ),
    (
        "lists have one set time",
        "search/hold.py",
        "turns = opaque or",
        "turns = int(opaque > 0) or",
    ),
    (
        "what was not searched is not held",
        "search/decision.py",
        "running.opaque |= d.opaque and not d.view",
        "running.opaque |= d.opaque and d.probe and not d.view",
    ),
    (
        "what turned opaque meanwhile is not held",
        "search/release.py",
        "        running.opaque |= out[-1].hidden\n",
        "",
    ),
    (
        "opaque from now on is not opaque",
        "search/release.py",
        "first.opaque or (second is not None and second.opaque)",
        "first.opaque",
    ),
    (
        "hidden partitions are searched in the policy's order",
        "search/decision.py",
        "sorted(decision.partitions, key=lambda d: not d.view)",
        "decision.partitions",
    ),
    (
        "a cancel is asked in hidden partitions",
        "search/run.py",
        "cancel if granted.view else None",
        "cancel",
    ),
    (
        "a cancel is asked only where there is something to search",
        "search/run.py",
        "if cancel is not None and cancel.is_set():",
        "if cancel is not None and running.searchers and cancel.is_set():",
    ),
    (
        "errors of hidden partitions are told",
        "search/decision.py",
        "        if running.decision[partition].view:\n            raise",
        "        raise",
    ),
    (
        "errors of partitions that are seen are passed over",
        "search/decision.py",
        "        if running.decision[partition].view:\n            raise",
        "        pass",
    ),
    (
        "deadlines in a list begin with the list",
        "search/batch.py",
        "    running.started = time.monotonic()\n",
        "",
    ),
    (
        "no decoy for what was not searched",
        "search/outbox.py",
        "return one.hidden or (",
        "return (",
    ),
    (
        "only probes that are retained are logged",
        "search/kept_probes.py",
        "elif running.submission.request.retain and (one.hidden or _failed_quietly(running, one)):",
        "elif False:",
    ),
    (
        "a probe that cannot be retained is told",
        "search/kept_probes.py",
        "        if one.section.outcome is Outcome.SEARCHED_DISCLOSED:\n            raise",
        "        raise",
    ),
    (
        "what an event led to shows in the log's length",
        "search/resume.py",
        "if section.reason is Reason.NOT_DISCLOSED:",
        "if False:",
    ),
    (
        "a wait ended by an opaque policy is not logged",
        "search/resume.py",
        "if truth.outcome in (",
        "if section.outcome in (",
    ),
    ("no warning without a set time", "search/hold.py", "if opaque and not", "if False and not"),
    (
        "who may not view results may look",
        "search/looking.py",
        "            if not first.view:\n",
        "            if not first.probe:\n",
    ),
    (
        "looks are not logged before they are read",
        "search/looking.py",
        "seq = state.audit.event(asked, _asked(state, partition, asker, first, sought))",
        "seq = 0",
    ),
    (
        "a policy that changes during a look is passed over",
        "search/looking.py",
        "if not second.view or _terms(second) != _terms(first):",
        "if False:",
    ),
    (
        "a role that lost its sight of protected records keeps it for this look",
        "search/looking.py",
        "return granted.view, granted.sees_protected, granted.opaque",
        "return granted.view, granted.opaque",
    ),
    (
        "an owner looks into others' partitions",
        "search/looking.py",
        "if info is None or info.owner != asker.owner or partition in odd:",
        "if info is None or partition in odd:",
    ),
    (
        "records that may not be seen are listed",
        "search/looking.py",
        "((k, n) for k, n in every if look.sees(k))",
        "every",
    ),
    (
        "a record that may not be seen is shown to who names it",
        "search/looking.py",
        "if key is None or not look.sees(key):",
        "if key is None:",
    ),
    (
        "protected records are shown to every role",
        "search/looking.py",
        "columns.barred(sees_protected=granted.sees_protected, uses=uses)",
        "columns.barred(sees_protected=True, uses=uses)",
    ),
    (
        "bans do not hold for looking",
        "search/looking.py",
        "uses = probe.uses(asker.facts)",
        "uses = frozenset()",
    ),
    (
        "agencies get the owner's facts",
        "search/looking.py",
        "return found if self.owner else RecordInfo(name, found.positions)",
        "return found",
    ),
    (
        "looks at opaque partitions are not held",
        "search/looking.py",
        "hold.looks += first.opaque and not first.view",
        "pass",
    ),
    (
        "opaque partitions say why nothing is open",
        "search/looking.py",
        "    if denied.opaque:\n",
        "    if False:\n",
    ),
    (
        "records of opaque partitions go by their ids",
        "search/looking.py",
        "recipient = asker.facts.chain[0] if granted.opaque else None",
        "recipient = None",
    ),
    (
        "records of opaque partitions are verified by their ids",
        "search/verification.py",
        "recipient if opaque else None",
        "None",
    ),
    (
        "a verification searches everything",
        "search/running.py",
        "if self.records is not None:\n            only",
        "if False:\n            only",
    ),
    (
        "a verification sees what a search does not",
        "search/comparison.py",
        "rows = only if allowed is None else only[allowed[only]]",
        "rows = only",
    ),
    (
        "a verification that waits is kept as a search",
        "search/release.py",
        "not running.retained and not running.once:",
        "not running.retained:",
    ),
    (
        "a verification asks for other partitions too",
        "search/verification.py",
        "partitions=(partition,), max_candidates=1",
        "max_candidates=1",
    ),
    (
        "a verification retains its probe",
        "search/verification.py",
        "if request.retain or request.copies_to:",
        "if request.copies_to:",
    ),
    (
        "a delivery that could not be logged is not taken back",
        "search/outbox.py",
        "        state.ledger.delivered(name, done=False)\n        raise",
        "        raise",
    ),
    (
        "deliveries that were cut off count as made",
        "search/outbox.py",
        "done=name in told",
        "done=True",
    ),
    (
        "deliveries of others are taken back",
        "search/outbox.py",
        "state.ledger.delivering() if not state.living.alive(owner)]",
        "state.ledger.delivering()]",
    ),
    (
        "anybody answers requests to opt out",
        "search/opting_out.py",
        "    _entitled(state, found, authority)\n",
        "",
    ),
    (
        "a request that was answered is answered again",
        "gallery/opt_outs.py",
        "if found is None or found.status != OPEN:",
        "if found is None:",
    ),
    (
        "opt-outs that a policy declares are not put on record",
        "search/administration.py",
        "            opting_out.take_over(state)\n        hold.warn",
        "        hold.warn",
    ),
    (
        "a policy calls another opt-out by a known name",
        "search/administration.py",
        "        opting_out.check_declared(state, policy)\n",
        "",
    ),
    (
        "another person's fingers are added without a word",
        "search/resemblance.py",
        "if score is not None and score < SEARCH.same_person_score:",
        "if False:",
    ),
    (
        "additions are compared with themselves",
        "search/resemblance.py",
        "if h[0] < rows[0].row]",
        "]",
    ),
    (
        "fingers of other positions are held against a record",
        "search/resemblance.py",
        "    return held[same, 0]",
        "    return held[:, 0]",
    ),
    (
        "what was read before a source raised is lost",
        "search/enrolment.py",
        "            self.failure = error\n",
        "            self.failure = error\n            batch = []\n",
    ),
    (
        "a source that raised counts as read to its end",
        "search/enrolment.py",
        "        raise batches.failure\n",
        "        pass\n",
    ),
    (
        "errors of withheld verifications are told",
        "search/verification.py",
        "        with kept_quiet(running, name):\n",
        "        if True:\n",
    ),
    ("orders without a name", "search/removal.py", "if not order or not authority:", "if False:"),
    (
        "a probe that is taken up can be taken up again",
        "ledger/ledger.py",
        "AND kind = ? AND claimed = ''",
        "AND kind = ?",
    ),
    (
        "a claim that failed is kept",
        "search/kept_probes.py",
        "    except BaseException:\n        settle(state, kept)\n        raise",
        "    except BaseException:\n        raise",
    ),
    (
        "a spent token is given back after an error",
        "search/kept_probes.py",
        'elif became != Outcome.DEFERRED and said.get("complete") is not False:',
        "elif False:",
    ),
    (
        "a deferred search that was made in part is spent",
        "search/resume.py",
        "if section.outcome is Outcome.DEFERRED or _is_in_part(running, section):",
        "if section.outcome is Outcome.DEFERRED:",
    ),
    (
        "one that was made in part and cut off is spent",
        "search/kept_probes.py",
        ' and said.get("complete") is not False:',
        ":",
    ),
    (
        "minutiae of a palm are those of a finger",
        "formats/itl_minutiae.py",
        "        if position is None and not _is_of_fingers(record):\n            continue\n",
        "",
    ),
    (
        "a second agency in an occurrence is passed over",
        "formats/ebts_fields.py",
        "if any(len(items) != 1 for items in found.items):",
        "if False:",
    ),
    (
        "claims of the living are settled by others",
        "search/kept_probes.py",
        "if p.claimed and not state.living.alive(_claimant(p))",
        "if p.claimed",
    ),
    (
        "claims of the dead are never settled",
        "search/kept_probes.py",
        "if p.claimed and not state.living.alive(_claimant(p))",
        "if False",
    ),
    (
        "probes of running searches are judged by others",
        "search/kept_probes.py",
        "p.owner != SETTLED and not alive[p.owner]",
        "p.owner != SETTLED",
    ),
    (
        "messages of running searches are judged by others",
        "search/outbox.py",
        "        if state.living.alive(owner):\n            continue\n",
        "",
    ),
    (
        "expired probes are cancelled without a claim",
        "search/kept_probes.py",
        "        kept = _take(state, waiting.token, DEFERRED)\n        if kept",
        "        kept = waiting\n        if kept",
    ),
    (
        "a control number can be used again",
        "search/run.py",
        "audit.intent(intent, once=True, deadline",
        "audit.intent(intent, deadline",
    ),
    (
        "a control number can be used again in a list",
        "search/batch.py",
        "for running in batch], once=True)",
        "for running in batch])",
    ),
    (
        "a control number belongs to whoever used it first",
        "audit/writer.py",
        "any(_agency(body) == agency for (body,) in earlier)",
        "any(True for _ in earlier)",
    ),
    (
        "a number twice in one list",
        "audit/writer.py",
        "(agency, e.tcn) in seen or ",
        "",
    ),
    (
        "a proof over several agencies' searches",
        "audit/proof.py",
        'if len({intent.fields.get("/cri") for intent in found[::2]}) > 1:',
        "if False:",
    ),
    (
        "a forked child keeps its parent alive",
        "locking.py",
        "        file.close()\n\n\nif hasattr",
        "        pass\n\n\nif hasattr",
    ),
    (
        "an enrolment that was cut off is forgotten",
        "search/enrolment.py",
        "        state.behind.add(partition)\n        state.unlogged = True\n",
        "",
    ),
    (
        "searches finish nothing",
        "search/run.py",
        "        pending.catch_up(state)\n",
        "",
    ),
    (
        "an incomplete index is searched",
        "search/state.py",
        "        if partition in self.behind:\n            raise",
        "        if False:\n            raise",
    ),
    (
        "a repeated removal finds nothing",
        "search/removal.py",
        "if missing else {}\n",
        "if False else {}\n",
    ),
    (
        "probes of a removed identity stay",
        "search/pending.py",
        "    destroy_probes(state, noted)\n    crash_point",
        "    crash_point",
    ),
    (
        "readers use probes of a removed identity",
        "search/recovery.py",
        "        pending.destroy_probes(state, state.gallery.unfinished())\n",
        "        pass\n",
    ),
    (
        "removals are not noted as unfinished",
        "search/recovery.py",
        "        pending.finish_removals(state)\n",
        "        pass\n",
    ),
    (
        "partition names as long as they like",
        "gallery/partition_names.py",
        '        or len(name.encode("utf-8", "replace")) > LONGEST_BYTES\n',
        "",
    ),
    (
        "any number of expected fingers",
        "gallery/partition_names.py",
        "    if type(expected) is not int or not 1 <= expected <= MOST_EXPECTED:",
        "    if False:",
    ),
    (
        "a replaced writer goes on writing",
        "gallery/journal.py",
        "            self._check_writer()\n",
        "",
    ),
    (
        "a forked child uses its parent's engine",
        "search/administration.py",
        "        if os.getpid() != self._process:\n            raise",
        "        if False:\n            raise",
    ),
    (
        "a forked child closes its parent's files",
        "search/administration.py",
        " or os.getpid() != self._process:\n            return",
        ":\n            return",
    ),
    (
        "a forked child keeps the gallery locked",
        "locking.py",
        "        _held.add(self)\n",
        "",
    ),
    (
        "a false root is believed",
        "gallery/gallery.py",
        "                    if self.stamps.fits_sum(key):\n",
        "                    if True:\n",
    ),
    (
        "an index in use is made anew",
        "search/recovery.py",
        "LockedError | ReadOnlyError | WriteError",
        "ReadOnlyError | WriteError",
    ),
    (
        "memory that missed a change is kept",
        "gallery/gallery.py",
        "            for partition in partitions:\n                self.forget(partition)\n            raise",
        "            raise",
    ),
    (
        "a record that comes twice in a batch is new twice",
        "gallery/together.py",
        "            there.add(name)\n",
        "",
    ),
    (
        "what a refused addition changed stays",
        "gallery/together.py",
        '        database.execute("ROLLBACK TO item")\n',
        "",
    ),
    (
        "rows of a refused addition are never used",
        "gallery/together.py",
        "        putting.numbers.back(mark)\n",
        "",
    ),
    (
        "text taken for a list",
        "checks.py",
        "        if other or not isinstance(value, Sequence | Set):",
        "        if not isinstance(value, Sequence | Set):",
    ),
    (
        "a list of any length",
        "checks.py",
        '    if len(value) > most:\n        raise InputError(f"{name} has {len(value)} entries; at most {most} are taken")\n    return tuple(value)',
        "    return tuple(value)",
    ),
    (
        "a ban that can mean nothing",
        "checks.py",
        '        if not good:\n            raise InputError(\n                f"{name}: {quoted(use)} is no use',
        '        if False:\n            raise InputError(\n                f"{name}: {quoted(use)} is no use',
    ),
    (
        "words taken for a flag",
        "checks.py",
        "    if isinstance(value, bool):\n        return value\n    if type(value)",
        "    if isinstance(value, bool | str | int):\n        return bool(value)\n    if type(value)",
    ),
    (
        "half a surrogate pair",
        "checks.py",
        '_UNPRINTABLE = re.compile("[\\x00-\\x1f\\ud800-\\udfff]")',
        '_UNPRINTABLE = re.compile("[\\x00-\\x1f]")',
    ),
    (
        "a ban that the policy does not know",
        "search/enrolment.py",
        "        if strange:",
        "        if False:",
    ),
    (
        "a table's misspelt column",
        "gallery/sources.py",
        "        if name not in columns and near:",
        "        if False:",
    ),
    (
        "a table's rows that differ",
        "gallery/sources.py",
        "            if any(row.get(name) != first.get(name) for row in rows):",
        "            if False:",
    ),
    (
        "another owner's rules at a decision",
        "search/decision.py",
        "        if d.partition in odd and (d.permissions or d.deferred)",
        "        if False",
    ),
    (
        "another owner's rules by number",
        "search/decision.py",
        "for other in (names.get(info.name, info), numbers.get(info.ndr, info))",
        "for other in (names.get(info.name, info),)",
    ),
    (
        "another owner at publishing",
        "search/administration.py",
        "        opening.check_partitions(state.gallery.partitions, policy)\n        pending.catch_up(state)",
        "        pending.catch_up(state)",
    ),
    (
        "flags of a policy in words",
        "policy/document.py",
        "Flag = Annotated[bool, Field(strict=True)]",
        "Flag = Annotated[bool, Field(strict=False)]",
    ),
    (
        "readers pass by a waiting writer",
        "search/read_write_lock.py",
        "if not self._writing and not self._writers:",
        "if not self._writing:",
    ),
    (
        "writers pass by waiting readers",
        "search/read_write_lock.py",
        "        self._readers += self._queued\n        self._queued = 0\n        self._phase += 1\n",
        "        if not self._writers:\n            self._readers += self._queued\n            self._queued = 0\n            self._phase += 1\n",
    ),
    (
        "a deadline does not cover the lock",
        "search/compare.py",
        "        with self.lock.reading(deadline) as held:",
        "        with self.lock.reading() as held:",
    ),
    (
        "a deadline does not cover the log",
        "search/run.py",
        "state.audit.intent(intent, once=True, deadline=running.deadline)",
        "state.audit.intent(intent, once=True)",
    ),
    (
        "one that gives up takes others with it",
        "audit/writer.py",
        "            if deadline is not None and not own.begun:",
        "            if False:",
    ),
    (
        "a request for another partition is searched",
        "search/compare.py",
        "if request.partition != self.partition:",
        "if False:",
    ),
    (
        "the answer to another request is taken",
        "search/partition_scores.py",
        "if partition != request.partition or list(told) != positions:",
        "if False:",
    ),
    (
        "foreign search forms are taken as they are",
        "search/partition_request.py",
        "return check_form(SearchTemplate(**columns))",
        "return SearchTemplate(**columns)",
    ),
    (
        "damaged messages are read",
        "search/frame.py",
        " or zlib.crc32(self._body) != checksum:",
        ":",
    ),
    (
        "records that have gone are candidates",
        "search/candidates.py",
        "keep = (ordinals >= 0) & ",
        "keep = ",
    ),
    (
        "what was withdrawn is written",
        "audit/writer.py",
        "live = [g for g in groups if not g.withdrawn]",
        "live = groups",
    ),
    (
        "a fact is no part of the memo's key",
        "policy/memo.py",
        "attrgetter(*(f.name for f in fields(Facts)))",
        "attrgetter(*(f.name for f in fields(Facts) if f.name != 'role'))",
    ),
    (
        "a fact of the request is forgotten",
        "types/search.py",
        'if f.name not in ("chain", "requested"))',
        'if f.name not in ("chain", "requested", "purpose"))',
    ),
    (
        "the protection flag is not logged",
        "audit/records.py",
        '            "protected": request.protected,\n',
        "",
    ),
    (
        "every attribute is logged",
        "search/run.py",
        "for name, _ in known if name in stated",
        "for name in stated",
    ),
    (
        "a fact of a transaction that its submission decides",
        "search/transact.py",
        "    unknown = sorted(set(facts) - FACTS)",
        "    unknown: list[str] = []",
    ),
    (
        "a refused transaction is not logged",
        "search/transact.py",
        "    state.audit.event(",
        "    (lambda *given: None)(",
    ),
    (
        "copies of answers go to who may see nothing",
        "search/transact.py",
        "            if all(section.candidates is None for section in response):",
        "            if False:",
    ),
    (
        "an answer without its mandatory fields",
        "search/transact.py",
        "        address.check()\n",
        "",
    ),
    (
        "a failure of the log is blamed on the submission",
        "search/transact.py",
        "    except InputError as error:\n        return _refused(",
        "    except Exception as error:\n        return _refused(",
    ),
    (
        "a record that was not disclosed is identified",
        "formats/ebts_answers.py",
        "        if found.record is not None and found.record not in records:",
        "        if False:",
    ),
    (
        "an adjudication is asked of what is not disclosed",
        "formats/ebts_answers.py",
        "        if section.candidates is None:\n            continue\n",
        "",
    ),
    (
        "a search cut short is answered as if it were whole",
        "formats/ebts_answers.py",
        "        if not section.complete:",
        "        if False:",
    ),
    (
        "an answer is answered",
        "formats/ebts_address.py",
        "    if kind in RESPONSES:",
        "    if False:",
    ),
    (
        "an answer of an unknown kind is answered",
        "formats/ebts_address.py",
        "    if kind not in KINDS and header.get(ANSWERED) is not None:",
        "    if False:",
    ),
    (
        "an answer depends on what other partitions hold",
        "formats/ebts_answers.py",
        "            out.append(_result(address, section, answering, day, findings or {}))",
        "            counts = sum(len(s.candidates or ()) for s in response)\n            a = address\n            other = type(a)(a.kind, a.recipient, a.sender, a.control, b'%d' % (1 + counts % 9), a.characters, a.repeated)\n            out.append(_result(other, section, answering, day, findings or {}))",
    ),
    (
        "an adapter's reference is anybody's record",
        "search/abis.py",
        "known.sealed or known.contributor != adapter.booking_ori:",
        "known.sealed:",
    ),
    (
        "a sealed record is a probe",
        "search/abis.py",
        "known is None or known.sealed or known",
        "known is None or known",
    ),
    (
        "a banned record is a probe",
        "search/abis.py",
        "if not fingers or known.banned_uses & made:",
        "if not fingers:",
    ),
    (
        "an adapter deletes without authority",
        "search/abis.py",
        "    if not adapter.authority:\n",
        "    if False:\n",
    ),
    (
        "a reference that is not the adapter's is not logged",
        "search/abis.py",
        '        _note(serving, asked, "no such reference")\n        raise Refused(FailureReason.NOT_FOUND, "no such reference")\n    return key, known',
        '        raise Refused(FailureReason.NOT_FOUND, "no such reference")\n    return key, known',
    ),
    (
        "a protected record is searched as an unprotected one",
        "search/abis.py",
        "protected = True if known.protected else protected",
        "pass",
    ),
    (
        "an empty list where nobody has looked",
        "search/abis.py",
        "    if not sections:\n",
        "    if False:\n",
    ),
    (
        "a record that is inserted twice at once",
        "search/abis.py",
        ", accept=unknown)",
        ")",
    ),
    (
        "another's insert is taken for this one",
        "search/abis.py",
        "return own and known.events == (asked.request,)",
        "return own",
    ),
    (
        "a gallery does not narrow",
        "search/identification.py",
        "running.records, running.apart, running.once = within, apart, True",
        "running.apart, running.once = apart, True",
    ),
    (
        "an identification waits for an event",
        "search/identification.py",
        "running.records, running.apart, running.once = within, apart, True",
        "running.records, running.apart = within, apart",
    ),
    (
        "a record is its own candidate",
        "search/release.py",
        "            barred[own] = True",
        "            pass",
    ),
    (
        "a threshold counts records that are withheld",
        "search/identification.py",
        "if not (d.probe and d.view) or",
        "if not d.probe or",
    ),
    (
        "a threshold counts records that are hidden",
        "search/identification.py",
        "seen = int((~barred).sum())",
        "seen = len(barred)",
    ),
    (
        "named records are not in the log",
        "search/run.py",
        "    return state.audit.records_digest(place[0], named)",
        '    return ""',
    ),
    (
        "a document type is read",
        "formats/xml_tree.py",
        "        parser.StartDoctypeDeclHandler = self._refuse\n        parser.EntityDeclHandler = self._refuse\n",
        "",
    ),
    (
        "a finger under another's name",
        "formats/cbeff.py",
        "    if code not in (FingerPosition.UNKNOWN, position):",
        "    if False:",
    ),
    (
        "sealed records leave with their owner",
        "search/looking.py",
        "if asker.owner and not leaving:",
        "if asker.owner:",
    ),
    (
        "records of which a use is banned leave for agencies",
        "search/looking.py",
        "if leaving and not asker.owner:",
        "if False:",
    ),
    (
        "templates leave an opaque partition",
        "search/looking.py",
        "if asker.facts.transaction == EXPORT and decided.opaque:",
        "if False:",
    ),
    (
        "templates that leave are no act of their own",
        "search/looking.py",
        "KINDS.get(what, (Kind.LOOK, Kind.SHOWN))",
        "(Kind.LOOK, Kind.SHOWN)",
    ),
    (
        "templates leave of records that may not be seen",
        "search/exporting.py",
        "((k, n) for k, n in every if open_.sees(k))",
        "every",
    ),
    (
        "agencies are told of events",
        "search/exporting.py",
        "events=open_.owner",
        "events=True",
    ),
    (
        "whoever reads may ask what was enrolled",
        "search/exporting.py",
        "    state.writable()\n",
        "",
    ),
    (
        "what was enrolled is read again",
        "bulk/reading.py",
        "        if found in job.known:\n            return Outcome(digest=found, skipped=True)\n    return None",
        "        pass\n    return None",
    ),
    (
        "an item that changed is added to its record",
        "bulk/enrolment.py",
        "if any(known[:_KEY] not in self.seen for known in job.known):",
        "if False:",
    ),
    (
        "an item of which a file failed counts as enrolled",
        "bulk/reading.py",
        "complete = whole and not failures",
        "complete = whole",
    ),
    (
        "another file than the manifest means is taken",
        "bulk/reading.py",
        "if part.digest and part.digest != said.hex():",
        "if False:",
    ),
    (
        "a misspelt column of a manifest is passed over",
        "bulk/manifest.py",
        "if missing or unknown or",
        "if missing or",
    ),
    (
        "a bad row is left out of its record",
        "bulk/manifest.py",
        "first.problem = first.problem or item.problem",
        "pass",
    ),
    (
        "two transactions of one name become one record",
        "bulk/sources.py",
        "    if key in seen:",
        "    if False:",
    ),
    (
        "more is taken ahead than fits",
        "bulk/pool.py",
        "len(window) < BULK.ahead",
        "True",
    ),
    (
        "copies handed out again and again",
        "search/handing_out.py",
        "    state.ledger.copies.destroy(copy.id)\n    return",
        "    state.ledger.copies.unclaim(copy.id)\n    return",
    ),
    (
        "copies ignore the recipient's mask",
        "search/copies.py",
        "if entry is not None and entry.probe and entry.view:",
        "if entry is not None:",
    ),
    (
        "copies show what the submitter may not see",
        "search/copies.py",
        "        if one.section.outcome is Outcome.SEARCHED_DISCLOSED:",
        "        if one.found:",
    ),
    (
        "copies carry record ids",
        "search/handing_out.py",
        "    if any(opaque):",
        "    if False:",
    ),
    (
        "copies can be fetched before the answer leaves",
        "search/run.py",
        "    hold.after.append(lambda: copies.show(state, running))\n",
        "    copies.show(state, running)\n",
    ),
    (
        "copies are gone before they are logged",
        "search/handing_out.py",
        '        crash_point("copy.claimed")\n',
        "        state.ledger.copies.destroy(copy.id)\n",
    ),
    (
        "copies of other agencies' submissions",
        "ledger/copies.py",
        "(? IS NULL OR booking = ?)",
        "(? IS NULL OR booking <> ?)",
    ),
    (
        "copies outlive an opt-out",
        "search/handing_out.py",
        "or not all(entry.probe and entry.view for entry in now):",
        "or False:",
    ),
    (
        "copies list what was sealed meanwhile",
        "search/handing_out.py",
        " and not barred[ordinal]:",
        ":",
    ),
    (
        "copies that wait name expunged records",
        "search/pending.py",
        "    copies.forget(state, names)\n",
        "",
    ),
    (
        "a copy that cannot be read is kept",
        "search/copies.py",
        "            state.ledger.copies.destroy(copy.id)\n            continue",
        "            continue",
    ),
    (
        "what a recipient may not see crowds others out of its copy",
        "search/copies.py",
        "        sees_protected=one.granted.sees_protected and entry.sees_protected,\n        uses",
        "        sees_protected=one.granted.sees_protected,\n        uses",
    ),
    (
        "copies of a search that was never answered",
        "search/copies.py",
        "            ledger.discard(intent)",
        "            ledger.show(intent)",
    ),
    (
        "a copy is handed out again after a crash",
        "search/copies.py",
        "            if (copy.intent, copy.recipient) in told:",
        "            if False:",
    ),
    (
        "copies of a search that failed",
        "search/run.py",
        "    copies.drop(state, running)\n",
        "",
    ),
    (
        "copies wait for ever",
        "ledger/copies.py",
        '"DELETE FROM copy WHERE expires <= ?"',
        '"DELETE FROM copy WHERE expires < ? AND 0"',
    ),
    (
        "an expunged event leaves what it was made from",
        "gallery/schema.py",
        ",\n    FOREIGN KEY (event, finger) REFERENCES held (event, finger) ON DELETE CASCADE",
        "",
    ),
    (
        "a refusal on the way to a file is called a full disk",
        "durable.py",
        "except FpmatchError:",
        "except WriteError:",
    ),
    (
        "hosts believe whoever asks",
        "cluster/grants.py",
        'if len(tag) < TAG or not hmac.compare_digest(tag, hmac.digest(key, body, "sha256")):',
        "if len(tag) < TAG:",
    ),
    (
        "a removal drops rows of the same numbers in every partition",
        "cluster/host.py",
        "if talk.grant.partition == call.grant.partition:",
        "if True:",
    ),
    (
        "a later call may be for another partition",
        "cluster/host.py",
        "first_grant = grant if begun is None else begun.grant",
        "first_grant = grant",
    ),
    (
        "a mask is kept of a segment that is gone",
        "cluster/owners.py",
        "if found is None or found[0] is not part:\n            sees",
        "if found is None:\n            part = __import__('copy').copy(part)\n            sees",
    ),
    (
        "whoever answers is believed",
        "cluster/grants.py",
        "if len(tag) < TAG or not hmac.compare_digest(tag, _reply_tag(key, call, body)):",
        "if len(tag) < TAG:",
    ),
    (
        "an answer to one call is one to every other",
        "cluster/grants.py",
        'hmac.new(key, _REPLY + call[:TAG], "sha256")',
        'hmac.new(key, _REPLY, "sha256")',
    ),
    (
        "hosts sign answers for whoever asks",
        "cluster/host.py",
        'return bytes(TAG) + refusal(error, {"host": self.name})',
        'return answering(self._key, call, refusal(error, {"host": self.name}))',
    ),
    (
        "a bucket's index may lack rows of its owners",
        "cluster/held.py",
        "if not self._holds(self._owners.rows).all():",
        "if False:",
    ),
    (
        "a removal does not wait for a bucket on its way",
        "cluster/holding.py",
        "with self._lock:\n            yield self._layout",
        "if True:\n            yield self._layout",
    ),
    (
        "a removal passes over hosts that are being given a bucket",
        "cluster/cluster.py",
        "self._keeper.purge(partition, held)",
        "self._keeper.purge(partition, self._layout)",
    ),
    (
        "what a broken copy has left stays",
        "cluster/host.py",
        "self._shelf.clear(call.grant.partition)",
        "pass",
    ),
    (
        "a bucket that a host lacks keeps a removal from its end",
        "cluster/keeper.py",
        "            except Behind:\n                # It has begun",
        "            except ZeroDivisionError:\n                # It has begun",
    ),
    (
        "nobody says why an answer is in part",
        "cluster/panel.py",
        'log.warning("host %s does not answer a search: %s", host, error)',
        "pass",
    ),
    (
        "only the beginning of a call is signed",
        "cluster/grants.py",
        'tag, hmac.digest(key, body, "sha256")',
        'tag[:0], b""',
    ),
    (
        "a grant opens every partition",
        "cluster/grants.py",
        'if grant.partition != asked["partition"]:',
        "if False:",
    ),
    (
        "a granter signs for every partition",
        "cluster/grants.py",
        "if grant.partition != self._partition:",
        "if False:",
    ),
    (
        "a grant opens every mask",
        "cluster/grants.py",
        'if grant.mask != asked["mask"]:',
        "if False:",
    ),
    (
        "a mask's name leaves its uses out",
        "cluster/grants.py",
        "[bool(sees_protected), sorted(uses), below]",
        "[bool(sees_protected), below]",
    ),
    (
        "a mask's name leaves later rows out",
        "cluster/grants.py",
        "[bool(sees_protected), sorted(uses), below]",
        "[bool(sees_protected), sorted(uses)]",
    ),
    (
        "grants never expire",
        "cluster/grants.py",
        "if grant.expires < now - SKEW:",
        "if False:",
    ),
    (
        "calls are heard out of turn",
        "cluster/grants.py",
        "if turn not in (last, last + 1):",
        "if False:",
    ),
    (
        "the grant of a search allows upkeep",
        "cluster/grants.py",
        "if grant.act != act:",
        "if False:",
    ),
    (
        "upkeep is heard twice",
        "cluster/host.py",
        "if not self._turns.take(asked.grant, asked.verb, asked.turn):",
        "if self._turns.take(asked.grant, asked.verb, asked.turn) is None:",
    ),
    (
        "a search that is over can be taken up",
        "cluster/host.py",
        "if k[0] != of}",
        "if True}",
    ),
    (
        "hosts compare rows that a mask bars",
        "cluster/conversations.py",
        "        if question.rows is not None:\n            self._check(question.rows)\n",
        "",
    ),
    (
        "hosts show protected records",
        "cluster/owners.py",
        "            if not sees_protected:\n                barred |= self.protected\n",
        "",
    ),
    (
        "hosts show records whose contributor bans the use",
        "cluster/owners.py",
        "                if ban & uses:",
        "                if False:",
    ),
    (
        "hosts show sealed records",
        "cluster/owners.py",
        "barred = self.sealed.copy()",
        "barred = np.zeros_like(self.sealed)",
    ),
    (
        "hosts show nobody's rows",
        "cluster/owners.py",
        "np.append(barred, True)",
        "np.append(barred, False)",
    ),
    (
        "hosts show rows that came later",
        "cluster/owners.py",
        "            if len(part) and int(part.row_ids.max()) >= below:\n                out &= part.row_ids < below\n",
        "",
    ),
    (
        "hosts answer before they are level",
        "cluster/host.py",
        "            if behind:\n",
        "            if False:\n",
    ),
    (
        "a host that is ahead of the writer is believed",
        "cluster/host.py",
        "(not exact and level.seq > wanted.seq)",
        "(level.seq > wanted.seq)",
    ),
    (
        "a host's flags are believed",
        "cluster/keeper.py",
        " or told[str(n)][3] != changed.now.digest()",
        "",
    ),
    (
        "a row removed between two rounds stays in merged segments",
        "cluster/host.py",
        "talk.drop(place, gone[number])",
        "pass",
    ),
    (
        "replayed enrolments revive an expunged row",
        "cluster/owners.py",
        "    stay = ~np.isin(old.keys, changed.touched)",
        "    stay = ~np.isin(old.keys, new.keys)",
    ),
    (
        "a restored gallery's rows stay expunged at hosts",
        "cluster/held.py",
        "                self._index.forget(again)\n",
        "                pass\n",
    ),
    (
        "an expungement ends while a host still has the bytes",
        "cluster/keeper.py",
        "        if missing:\n            raise ClusterError(\n",
        "        if False:\n            raise ClusterError(\n",
    ),
    (
        "hosts keep the bytes of expunged rows",
        "cluster/held.py",
        "if purge and self._index.tombstones:",
        "if False:",
    ),
    (
        "a gallery over hosts keeps its old index",
        "search/recovery.py",
        "            shutil.rmtree(folder, ignore_errors=True)\n        level",
        "            pass\n        level",
    ),
    (
        "an answer of some shards looks whole",
        "cluster/partition.py",
        "complete = scores.cost.complete and not lost",
        "complete = scores.cost.complete",
    ),
    (
        "the log says coverage where something was searched only",
        "search/run.py",
        "return () if state.shards is None else (0, 0, 0, 0)",
        "return ()",
    ),
    (
        "a withheld section says what was covered",
        "search/release.py",
        "        truth = withheld(granted)\n        return",
        "        truth = replace(withheld(granted), coverage=scores.cost.coverage)\n        return",
    ),
    (
        "a gallery under a log apart is searched as it was",
        "gallery/following.py",
        "    if gallery.still is not None and state_of(",
        "    if gallery.sync is None and state_of(",
    ),
    (
        "what a backup says of itself is believed",
        "upkeep/restore.py",
        "            check_held(part, found, chest_of(part, keys))\n",
        "",
    ),
    (
        "copies of a restored gallery name who was destroyed",
        "upkeep/restore.py",
        "        if gone:\n            # Their",
        "        if gone < 0:\n            # Their",
    ),
    (
        "a list of removals ends with the restoration",
        "upkeep/restore.py",
        "        withdrawn.take_over(gallery, after)\n",
        "",
    ),
    (
        "batches stay under an older key",
        "index/store.py",
        "            self._write_memory()\n            tail.remove(self.folder)\n        ",
        "        ",
    ),
)


def main() -> int:
    """Break, test, put back; 1 if a guard was not missed, or its text is no longer there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="titles; or a file with one on each line")
    parser.add_argument("--jobs", type=int, default=1, help="copies that are broken side by side")
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.relative_to(ROOT)}")
    asked = parser.parse_args()
    only = asked.only
    if only and Path(only[0]).exists():
        only = Path(only[0]).read_text().splitlines()
    known = killers()
    left = [m for m in MUTATIONS if not only or m[0] in only]
    places: queue.Queue[Path] = queue.Queue()
    for _ in range(asked.jobs):
        places.put(copied())

    def tried(mutation: tuple[str, str, str, str]) -> tuple[str, str, str]:
        place = places.get()
        try:
            found = broken(place, mutation, known.get(mutation[0], ""))
        finally:
            places.put(place)
        word = {"": "SURVIVED", STALE: "STALE"}.get(found, "killed")
        print(f"{word:9} {mutation[0]} ({mutation[1]}): {found}", flush=True)
        return mutation[0], mutation[1], found

    with ThreadPoolExecutor(asked.jobs) as pool:
        results = list(pool.map(tried, left))
    while not places.empty():
        shutil.rmtree(places.get())
    survivors = sum(not found and title not in UNSEEN for title, _, found in results)
    stale = sum(found == STALE for _, _, found in results)
    print(f"{len(results)} mutations, {survivors} survived, {stale} stale")
    if asked.write:
        write(results)
    return int(bool(survivors or stale))


def killers() -> dict[str, str]:
    """The test that missed each guard the last time: tried first, for it most likely does again."""
    rows = (line.split(" | ") for line in TABLE.read_text().splitlines() if "| `test_" in line)
    return {row[0].removeprefix("| "): row[2].strip(" |`") for row in rows}


def write(results: list[tuple[str, str, str]]) -> None:
    """The table of `docs/mutations.md`; rows of mutations that were not tried stay."""
    text = TABLE.read_text()
    head = text[: text.index("| broken |")]
    old = {line.split(" | ")[0]: line for line in text.splitlines() if line.startswith("| ")}
    new = {
        f"| {title}": f"| {title} | `{name}` | {f'`{found}`' if found else 'none: see above'} |"
        for title, name, found in results
    }
    rows = [{**old, **new}.get(f"| {m[0]}") for m in MUTATIONS]
    lines = ["| broken | in | test that fails |", "|---|---|---|", *filter(None, rows)]
    TABLE.write_text(head + "\n".join(lines) + "\n")


def copied() -> Path:
    """A copy of what the tests need, to be broken."""
    place = Path(tempfile.mkdtemp(prefix="mutants-"))
    for folder in ("fpmatch", "tests", "data/synthetic/scenarios", "data/synthetic/optical"):
        shutil.copytree(ROOT / folder, place / folder)
    shutil.copy(ROOT / "setup.cfg", place)
    return place


def broken(place: Path, mutation: tuple[str, str, str, str], first: str) -> str:
    """The test that failed, "" if none did; `STALE` where there is nothing to break."""
    _, name, old, new = mutation
    path = place / "fpmatch" / name
    source = path.read_text()
    if source.count(old) != 1:
        return STALE
    path.write_text(source.replace(old, new))
    try:
        return (run(place, "-k", first.partition("[")[0]) if first else "") or run(place)
    finally:
        path.write_text(source)


def run(place: Path, *more: str) -> str:
    """The test that failed, or "" if none did."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-rfE", *more]
            + [f"tests/{t}" for t in TESTS],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(place), "FPMATCH_THOROUGH": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired:
        return "test run that does not end"
    for line in done.stdout.splitlines():
        if line.startswith(("FAILED", "ERROR")):
            return line.split("::")[-1].split(" - ")[0]
    return "" if done.returncode in (0, NONE_CHOSEN) else "collection"


if __name__ == "__main__":
    sys.exit(main())
