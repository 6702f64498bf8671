"""Notifications to partition owners: prepared before the outcome is logged, shown after.

A message exists for a search exactly if the search was answered: one prepared by a search whose
outcome never reached the log is dropped when the gallery is next opened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace

from fpmatch.audit.records import Kind, time_text
from fpmatch.errors import RefusedError
from fpmatch.gallery.removing import UNIFORM
from fpmatch.ledger import Notification
from fpmatch.search.crash_points import crash_point
from fpmatch.search.released import Released, ReleasedPartition
from fpmatch.search.running import Running
from fpmatch.search.state import State
from fpmatch.types import Candidate, Outcome, PartitionInfo, Permission

UNROUTED = "UNROUTED"


def prepare(state: State, running: Running, released: Released) -> None:
    """Write the messages of a search, not yet visible.

    Where a result is withheld but an owner would be told, a search without a hit writes a decoy,
    so that it waits for the disk as often as one with a hit; where the submitter may not know if
    there was a search, no search does too.

    Parameters
    ----------
    state : State
        The open engine.
    running : Running
        The search, with what was decided and found so far.
    released : Released
        What leaves, for each partition.
    """
    known = (*(state.policy.partitions if state.policy else ()), *state.gallery.partitions)
    owners = {info.name: info for info in known}
    messages, decoys = [], []
    for i, one in enumerate(released.partitions):
        if not one.hits and not _needs_decoy(one):
            continue
        name = one.section.partition
        message = _message(state, running, one, owners.get(name) or PartitionInfo(name, 0, ""))
        content = envelope_of(one.hits)
        envelope = None if state.vault is None else state.vault.seal(message.owner, content)
        if one.hits:
            released.partitions[i] = replace(one, notifications=(message,))
            messages.append((message, envelope))
        else:
            decoys.append(message)
    if messages or decoys:
        state.ledger.prepare(messages, decoys, state.living.name)


def _needs_decoy(one: ReleasedPartition) -> bool:
    withheld = one.section.outcome is Outcome.SEARCHED_WITHHELD
    return one.hidden or (withheld and Permission.NOTIFY in one.granted.permissions)


def show(state: State, running: Running, released: Released) -> None:
    """Make the messages visible: the outcome is on disk.

    Parameters
    ----------
    state : State
        The open engine.
    running : Running
        The search, with what was decided and found so far.
    released : Released
        What leaves, for each partition.
    """
    wrote = False
    for one in released.partitions:
        wrote |= bool(one.notifications) or _needs_decoy(one)
        for message in one.notifications:
            if state.vault is None:
                state.envelopes[message.id] = (message.partition, envelope_of(one.hits))
    if wrote:
        state.ledger.release(running.intent)


def drop(state: State, intent: int) -> None:
    """Forget the messages of a search that failed."""
    state.ledger.discard(intent)


def recover(state: State) -> None:
    """Settle what openings that have ended left between preparing and showing."""
    for intent, owner in state.ledger.pending():
        if state.living.alive(owner):
            continue
        if any(r.intent_seq == intent for r in _outcomes(state, intent)):
            state.ledger.release(intent)
        else:
            state.ledger.discard(intent)
    cut_off = [n for n, owner in state.ledger.delivering() if not state.living.alive(owner)]
    if cut_off:
        told = {r.fields.get("notification") for r in state.audit.records(kind=Kind.NOTIFY)}
        for name in cut_off:
            state.ledger.delivered(name, done=name in told)


def deliver(state: State, name: str) -> bool:
    """See `Engine.deliver`. Taken up, logged, then marked: logged or not delivered."""
    message = state.ledger.deliver(name, state.living.name)
    if message is None:
        return False
    crash_point("notify.claimed")
    try:
        state.audit.event(
            Kind.NOTIFY,
            {
                "notification": message.id,
                "partition": message.partition,
                "owner": message.owner,
                "office": message.office,
                "tcn": message.tcn,
                "search_seq": message.intent,
            },
        )
    except BaseException:
        state.ledger.delivered(name, done=False)
        raise
    crash_point("notify.logged")
    return state.ledger.delivered(name)


def envelope(state: State, name: str, owner: str) -> bytes:
    """See `Engine.envelope`.

    Parameters
    ----------
    state : State
        The open engine.
    name : str
        Its name.
    owner : str
        The partition's owner.

    Raises
    ------
    RefusedError
        If there is none that is open to this owner: in the same words.
    """
    known = (*waiting(state), *waiting(state, delivered=True))
    found = next((m for m in known if m.id == name and m.owner == owner), None)
    content = None
    if found is not None:
        held = state.envelopes.get(name)
        content = held[1] if held is not None else state.ledger.envelope(name)
    if found is None or content is None:
        state.audit.event(Kind.AUTH_FAILED, {"what": "envelope", "owner": owner})
        raise RefusedError(UNIFORM)
    state.audit.event(
        Kind.RELEASE,
        {
            "what": "envelope",
            "partition": found.partition,
            "recipient": owner,
            "notification": found.id,
            "tcn": found.tcn,
            "search_seq": found.intent,
        },
    )
    return content


def _outcomes(state: State, intent: int) -> Iterable:
    return state.audit.records(kind=Kind.OUTCOME, first=intent)


def _message(
    state: State, running: Running, one: ReleasedPartition, info: PartitionInfo
) -> Notification:
    booking = running.submission.facts.chain[0]
    name = hashlib.sha256(f"{state.audit.path}|{running.intent}|{info.name}".encode()).hexdigest()
    return Notification(
        id=f"N{running.intent}-{name[:16]}",
        partition=info.name,
        owner=info.owner,
        office=office(state, info.name, booking),
        tcn=running.submission.tcn,
        booking_ori=booking,
        transaction=running.submission.facts.transaction,
        reason=one.granted.reason.value,
        consent_overridden=one.granted.consent_overridden,
        intent=running.intent,
        time=time_text(state.clock()),
    )


def forget(state: State, names: set[tuple[str, str]]) -> None:
    """Take expunged records out of the envelopes in memory."""
    for name, (partition, content) in list(state.envelopes.items()):
        kept = [c for c in json.loads(content) if (partition, c["record"]) not in names]
        text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
        state.envelopes[name] = (partition, text.encode())


def waiting(state: State, *, delivered: bool = False) -> list[Notification]:
    """Messages that wait to be delivered, or were."""
    return state.ledger.notifications(delivered=delivered)


def office(state: State, partition: str, ori: str) -> str:
    """The office for an agency: its own route, else its nearest ancestor's, else UNROUTED.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    ori : str
        An agency.
    """
    routes = state.routes.get(partition, {})
    path: tuple[str, ...] = (ori,)
    if state.policy is not None and ori in state.policy.registry.agencies:
        path = state.policy.registry.path(ori)
    for node in path:
        if node in routes:
            return routes[node]
    return routes.get("*", UNROUTED)


def envelope_of(candidates: Iterable[Candidate]) -> bytes:
    """The owner's list as canonical JSON."""
    content = [
        {
            "record": c.record,
            "score": c.score,
            "fmr": c.fmr,
            "fmr_below": c.claim.below,
            "fingers": [{"position": int(f.position), "score": f.score} for f in c.fingers],
        }
        for c in candidates
    ]
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
