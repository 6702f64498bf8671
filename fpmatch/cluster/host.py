"""What stands at the other end of a transport: one host, and the rows that it holds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import check_integer, check_several
from fpmatch.cluster import conversations, moving
from fpmatch.cluster.changes import read_changes
from fpmatch.cluster.conversations import Conversation
from fpmatch.cluster.grants import (
    SEARCH,
    TAG,
    UPKEEP,
    Grant,
    GrantError,
    Level,
    Turns,
    answering,
    check_grant,
    checked,
    mask_digest,
)
from fpmatch.cluster.held import Bucket
from fpmatch.cluster.messages import Behind, Call, Reply, refusal
from fpmatch.cluster.shelf import Shelf
from fpmatch.cluster.views import View
from fpmatch.errors import ClusterError, InputError, SearchCancelled
from fpmatch.index import Workers
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.search.round_messages import answer_to_bytes, question_from_bytes

log = logging.getLogger(__name__)
MOST_CONVERSATIONS = 4096
Which = tuple[str, int, tuple[int, ...]]
"""A conversation: of which search, which attempt, about which buckets."""


class Host:
    """One host: it holds buckets of partitions and no policy, and does what is signed.

    Made by whoever runs it, on whatever machine, with nothing but these three; after a restart it
    goes on from what its folder holds, and is brought level before it is searched again.

    Parameters
    ----------
    name : str
    folder : Path
        Its own; made if it is missing.
    key : bytes
        Of the cluster: what is not signed with it is refused.
    threads : int
        Of one search.
    """

    def __init__(self, name: str, folder: Path, key: bytes, *, threads: int = 1) -> None:
        self.name = name
        self._key = key
        self._shelf = Shelf(Path(folder))
        self._workers = Workers(threads)
        self._turns = Turns()
        self._lock = threading.RLock()
        self._talks: dict[Which, Conversation] = {}

    def answer(self, call: bytes) -> bytes:
        """Answer one call; from any number of threads.

        Parameters
        ----------
        call : bytes
            Of foreign origin: nothing of it is read before its signature is checked.

        Returns
        -------
        bytes
            What was asked for, or why not: refusals and errors are answers too, such as an
            InputError where there is no such verb. Signed, together with the call; but what was
            not signed itself gets an answer that is not, of a signature's length of zeros.
        """
        try:
            body = checked(self._key, call)
        except GrantError as error:
            log.warning("host %s refuses a call: %s", self.name, error)
            return bytes(TAG) + refusal(error, {"host": self.name})
        return answering(self._key, call, self._answer(body))

    def _answer(self, body: bytes) -> bytes:
        """The answer to a call whose signature is right."""
        try:
            asked = Call.from_bytes(body)
            act, do = self._verbs.get(asked.verb, ("", ""))
            if not act:
                raise InputError("a host knows no such verb")
            if asked.verb != "ask":
                mask = "" if act == UPKEEP else asked.grant.mask
                check_grant(asked.grant, act, {"partition": asked.grant.partition, "mask": mask})
                if not self._turns.take(asked.grant, asked.verb, asked.turn):
                    raise GrantError("a call was heard before")
            made: Reply | bytes = getattr(self, do)(asked)
            return made if isinstance(made, bytes) else made.to_bytes()
        except Exception as error:
            if not isinstance(error, Behind | SearchCancelled):
                log.warning("host %s refuses a call: %s", self.name, error)
            return refusal(error, {"host": self.name})

    _verbs: ClassVar[Mapping[str, tuple[str, str]]] = {
        "ask": (SEARCH, "_ask"),
        "end": (SEARCH, "_end"),
        "levels": (UPKEEP, "_levels"),
        "hold": (UPKEEP, "_hold"),
        "put": (UPKEEP, "_put"),
        "follow": (UPKEEP, "_follow"),
        "commit": (UPKEEP, "_commit"),
        "drop": (UPKEEP, "_drop"),
        "files": (UPKEEP, "_files"),
        "read": (UPKEEP, "_read"),
        "write": (UPKEEP, "_write"),
        "adopt": (UPKEEP, "_adopt"),
    }
    """Of each verb what a grant has to allow, and the method."""

    # -- searches ------------------------------------------------------------------------------

    def _ask(self, call: Call) -> bytes:
        grant, said = call.grant, call.said
        buckets = _numbers(said["buckets"])
        attempt = check_integer("attempt", said["attempt"], 0, 2**31)
        below = check_integer("below", said["below"], 0, 2**63 - 1)
        seconds = said["seconds_left"]
        which = (grant.search, attempt, buckets)
        first = call.turn == 0
        request = PartitionRequest.from_bytes(call.blobs[0]) if first else None
        if request is not None:
            asked = mask_digest(
                sees_protected=request.sees_protected, uses=request.uses, below=below
            )
            check_grant(grant, SEARCH, {"partition": request.partition, "mask": asked})
        else:
            with self._lock:
                begun = self._talks.get(which)
            first_grant = grant if begun is None else begun.grant
            asked_for = {"partition": first_grant.partition, "mask": first_grant.mask}
            check_grant(grant, SEARCH, asked_for)
        new = self._turns.take(grant, which, call.turn)
        if new and request is not None:
            self._begin(grant, which, request, (below, bool(said["exact"])))
        with self._lock:
            talk = self._talks.get(which)
        if talk is None:
            raise GrantError("a call is of a search that this host does not know, or that is over")
        with talk.lock:
            # The same call again, by a hand that did not get the answer: the same answer.
            if new or not talk.last:
                answer = talk.ask(question_from_bytes(call.blobs[-1]), seconds)
                told = {"host": self.name, "ahead": talk.ahead}
                talk.last = Reply(told, [answer_to_bytes(answer)]).to_bytes()
            return talk.last

    def _begin(
        self,
        grant: Grant,
        which: Which,
        request: PartitionRequest,
        rows: tuple[int, bool],
    ) -> None:
        below, exact = rows
        held = self._shelf.partition(grant.partition)
        with self._lock:
            found = [self._bucket(held, number) for number in which[-1]]
            seen = [bucket.see() for bucket in found]
            levels = [one.owners.level for one in seen]
            behind = [at for at in levels if not reached(at, grant.level, exact=exact)]
            if behind:
                raise Behind(f"host {self.name} is not as far as this search")
            seen = [b.see() for b in found]
            view = View(seen)
            lists = held.lists
            talk = conversations.begin(grant, view, request, below, lists, self._workers)
            talk.ahead = any(one.owners.level != grant.level for one in seen)
            now = time.time()
            self._talks = {k: t for k, t in self._talks.items() if t.expires >= now}
            if len(self._talks) >= MOST_CONVERSATIONS:
                raise ClusterError("a host has too many searches under way")
            self._talks[which] = talk

    @staticmethod
    def _bucket(held: Any, number: int) -> Bucket:
        bucket: Bucket | None = held.buckets.get(number)
        if bucket is None:
            raise Behind("a host does not hold a bucket that it is asked for")
        return bucket

    def _end(self, call: Call) -> Reply:
        with self._lock:
            of = call.grant.search
            self._talks = {k: t for k, t in self._talks.items() if k[0] != of}
        return Reply()

    # -- upkeep --------------------------------------------------------------------------------

    def _levels(self, call: Call) -> Reply:
        held = self._shelf.find(call.grant.partition)
        told = {}
        for number, bucket in sorted(held.buckets.items() if held else ()):
            owners = bucket.owners
            digest = owners.digest() if call.said.get("digest") else 0
            level = owners.level
            told[str(number)] = [level.seq, level.stamp, len(owners.rows), digest]
        size = sum(b.stored_bytes for b in held.buckets.values()) if held else 0
        return Reply({"host": self.name, "buckets": told, "bytes": size})

    def _hold(self, call: Call) -> Reply:
        """Have these buckets, empty where they are new."""
        expected = check_integer("expected", call.said["expected"], 1, 2**53)
        held = self._shelf.make(call.grant.partition, expected)
        with self._lock:
            for number in _numbers(call.said["buckets"]):
                held.hold(number)
        return Reply()

    def _put(self, call: Call) -> Reply:
        """Take rows that a state to come has; until then they are nobody's, and never seen."""
        bucket = self._bucket(self._shelf.partition(call.grant.partition), call.said["bucket"])
        rows, positions = (np.frombuffer(b, np.int64) for b in call.blobs[:2])
        bucket.put(rows, positions.astype(np.uint8), call.blobs[2:])
        return Reply()

    def _follow(self, call: Call) -> Reply:
        held = self._shelf.partition(call.grant.partition)
        changes = read_changes(call.blobs[0], call.grant.level)
        lacks, gone = [np.zeros(0, np.int64)], dict[int, NDArray[np.int64]]()
        for number, changed in changes.buckets.items():
            # One that is gone from its disk is behind: passed over, it would never come back.
            bucket = self._bucket(held, number)
            level = bucket.owners.level
            # Everything is told where the coordinator does not believe what the host says it has.
            if changes.since is not None and reached(level, call.grant.level, exact=False):
                continue
            # What came between would be missed.
            if changes.since is not None and level.seq < changes.since:
                raise Behind(f"host {self.name} is further behind than these changes reach")
            lack, out = bucket.follow(changed)
            lacks.append(lack)
            if len(out):
                gone[number] = out
        with self._lock:
            talks = list(self._talks.items()) if gone else []
        for which, talk in talks:
            if talk.grant.partition == call.grant.partition:
                for place, number in enumerate(which[-1]):
                    if number in gone:
                        talk.drop(place, gone[number])
        wanted = np.concatenate(lacks)
        return Reply({"host": self.name}, [wanted.tobytes()])

    def _commit(self, call: Call) -> Reply:
        held = self._shelf.find(call.grant.partition)
        for bucket in held.buckets.values() if held else ():
            bucket.commit(purge=bool(call.said["purge"]))
        if call.said["purge"]:
            # A copy that was broken off: nobody asks for one while another is under way.
            self._shelf.clear(call.grant.partition)
        return Reply()

    def _drop(self, call: Call) -> Reply:
        held = self._shelf.find(call.grant.partition)
        for number in _numbers(call.said["buckets"]):
            if held is not None and number in held.buckets:
                held.buckets.pop(number).drop()
        return Reply()

    # -- a bucket from one host to another -----------------------------------------------------

    def _files(self, call: Call) -> Reply:
        bucket = self._bucket(self._shelf.partition(call.grant.partition), call.said["bucket"])
        bucket.commit(purge=True, final=True)
        return Reply({"files": moving.files(bucket.folder)})

    def _read(self, call: Call) -> Reply:
        bucket = self._bucket(self._shelf.partition(call.grant.partition), call.said["bucket"])
        said = call.said
        return Reply(blobs=[moving.read(bucket.folder, said["file"], said["from"], said["most"])])

    def _write(self, call: Call) -> Reply:
        said = call.said
        place = self._shelf.arriving(call.grant.partition, said["bucket"])
        moving.write(place, said["file"], said["from"], call.blobs[0])
        return Reply()

    def _adopt(self, call: Call) -> Reply:
        expected = check_integer("expected", call.said["expected"], 1, 2**53)
        held = self._shelf.make(call.grant.partition, expected)
        number = check_integer("bucket", call.said["bucket"], 0, 2**31)
        with self._lock:
            held.adopt(number, self._shelf.arriving(call.grant.partition, number))
        return Reply()

    def close(self) -> None:
        """Let go of files; what is not on disk yet is brought again by the coordinator."""
        with self._lock:
            self._talks.clear()
            self._shelf.close()
            self._workers.close()


def reached(level: Level, wanted: Level, *, exact: bool) -> bool:
    """Whether a bucket at a level has the rows that should exist at another.

    Parameters
    ----------
    level, wanted : Level
    exact : bool
        Whether a later one will not do: nobody can be ahead of the coordinator that writes, but a
        host that followed a system of record which was restored from before.
    """
    if not level.stamp:
        return False
    return level.stamp == wanted.stamp or (not exact and level.seq > wanted.seq)


def _numbers(said: Any) -> tuple[int, ...]:
    several = check_several("buckets", said, most=1 << 16)
    return tuple(check_integer("bucket", n, 0, 2**31) for n in several)


Make = Callable[[str, Path, bytes], Host]
"""How a host is made where it shall run: of its name, its folder and the cluster's key."""
