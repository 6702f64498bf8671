"""What the coordinator allows with one call: signed by it, and checked by the host that is asked.

A transport lets everybody who reaches it send bytes to every host. So a host does nothing that is
not signed with the cluster's key, which the coordinator and the hosts have and nobody else: HMAC
with SHA-256 (RFC 2104) over the whole call. What is signed names one partition, what for, for a
search the digest of its mask, the state of the system of record, the turn, and until when.

What a host answers is signed with the same key, together with the call that it answers: who stands
between cannot say that nothing was found, and an answer cannot be taken for that to another call.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fpmatch.checks import check_choice, check_integer, check_number, check_text
from fpmatch.errors import ClusterError, InputError, PolicyError

SEARCH, UPKEEP = "search", "upkeep"
TAG = 32
"""Bytes of a signature."""
KEY = 32
"""Bytes of a cluster's key."""
_REPLY = b"reply"
"""Before what is signed of a reply: no call, whose frame begins otherwise, can pass for one."""
SECONDS = 300.0
"""How long all rounds of a search may take that has no deadline: beyond the first search of a cold
gallery, which reads and checks what it touches."""
SKEW = 5.0
"""By how much the clocks of two machines may differ, seconds."""
FIELDS = ("act", "partition", "mask", "seq", "stamp", "search", "expires")


class GrantError(PolicyError):
    """A host refuses a call: it is not signed, or is for something else."""


class ForeignReply(ClusterError):
    """What came back is not what a host of this cluster answered to this call."""


@dataclass(frozen=True, slots=True)
class Level:
    """A state of a partition in the system of record.

    Parameters
    ----------
    seq : int
        Of the last change that it has, of any partition; grows.
    stamp : str
        Drawn at random for each state of the partition, so that none comes twice.
    """

    seq: int
    stamp: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What one conversation with hosts may do.

    Parameters
    ----------
    act : str
        `SEARCH` or `UPKEEP`; neither may do the other's.
    partition : str
        The only one that it may touch.
    mask : str
        For a search: `mask_digest` of what it may see.
    level : Level
        The rows that should exist at this state.
    search : str
        Drawn at random; names the conversation.
    expires : float
        `time.time` from when it is worthless.
    """

    act: str
    partition: str
    mask: str
    level: Level
    search: str
    expires: float

    def fields(self) -> dict[str, Any]:
        """Plain values, for a message."""
        return {
            "act": self.act,
            "partition": self.partition,
            "mask": self.mask,
            "seq": self.level.seq,
            "stamp": self.level.stamp,
            "search": self.search,
            "expires": self.expires,
        }

    @classmethod
    def of(cls, told: Any) -> Grant:
        """Read what `fields` gave.

        Raises
        ------
        InputError
            If it is anything else.
        """
        if not isinstance(told, dict) or tuple(sorted(told)) != tuple(sorted(FIELDS)):
            raise InputError(f"a grant has the fields {', '.join(FIELDS)}")
        return cls(
            check_choice("act", told["act"], (SEARCH, UPKEEP)),
            check_text("partition", told["partition"]),
            check_text("mask", told["mask"], longest=64),
            Level(
                check_integer("seq", told["seq"], 0, 2**63 - 1),
                check_text("stamp", told["stamp"], longest=64),
            ),
            check_text("search", told["search"], longest=64, empty=False),
            check_number("expires", told["expires"], 0, 1e12),
        )


def mask_digest(*, sees_protected: bool, uses: Iterable[str], below: int) -> str:
    """A name for what a search may see: the same for no other mask.

    Parameters
    ----------
    sees_protected : bool
    uses : iterable of str
    below : int
        Rows from this number on came later and are not seen.
    """
    said = json.dumps([bool(sees_protected), sorted(uses), below], separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


class Granter:
    """Grants for one partition, and signatures under calls.

    Whoever holds one may have hosts search that partition and no other.

    Parameters
    ----------
    key : bytes
        Of the cluster.
    partition : str
    seconds : float
    """

    def __init__(self, key: bytes, partition: str, seconds: float = SECONDS) -> None:
        self._key = key
        self._partition = partition
        self._seconds = seconds

    def grant(self, act: str, level: Level, mask: str = "", *, seconds: float = 0.0) -> Grant:
        """A grant of a new conversation.

        Parameters
        ----------
        act : str
        level : Level
        mask : str
        seconds : float
            How much longer than usual it shall hold.
        """
        expires = time.time() + self._seconds + seconds
        return Grant(act, self._partition, mask, level, secrets.token_hex(16), expires)

    def sign(self, grant: Grant, body: bytes) -> bytes:
        """A call: what is asked, behind its signature.

        Raises
        ------
        PolicyError
            If the grant is for another partition.
        """
        if grant.partition != self._partition:
            raise PolicyError("this granter signs for another partition")
        return signed(self._key, body)

    def heard(self, call: bytes, reply: bytes) -> bytes:
        """See `heard`.

        Parameters
        ----------
        call, reply : bytes

        Raises
        ------
        ForeignReply
        """
        return heard(self._key, call, reply)


def signed(key: bytes, body: bytes) -> bytes:
    """Bytes behind their signature.

    Parameters
    ----------
    key, body : bytes
    """
    return hmac.digest(key, body, "sha256") + body


def checked(key: bytes, call: bytes) -> bytes:
    """What was signed.

    Parameters
    ----------
    key, call : bytes

    Raises
    ------
    GrantError
        If the signature is not of this key, or not of these bytes.
    """
    if not isinstance(call, bytes | bytearray | memoryview):
        raise GrantError("a call is bytes")
    call = bytes(call)
    tag, body = call[:TAG], call[TAG:]
    if len(tag) < TAG or not hmac.compare_digest(tag, hmac.digest(key, body, "sha256")):
        raise GrantError("a call is not signed by this host's coordinator")
    return body


def answering(key: bytes, call: bytes, body: bytes) -> bytes:
    """A reply behind a signature of it and of the call that it answers.

    Parameters
    ----------
    key : bytes
    call : bytes
        As it came, and with a signature that was `checked`.
    body : bytes
    """
    return _reply_tag(key, call, body) + body


def heard(key: bytes, call: bytes, reply: bytes) -> bytes:
    """What a host answered to a call.

    Parameters
    ----------
    key : bytes
    call : bytes
        As it was sent.
    reply : bytes
        Of foreign origin: nothing of it is read before its signature is checked.

    Raises
    ------
    ForeignReply
        If it is not signed with this key, or answers another call.
    """
    if not isinstance(reply, bytes | bytearray | memoryview):
        raise ForeignReply("an answer is bytes")
    reply = bytes(reply)
    tag, body = reply[:TAG], reply[TAG:]
    if len(tag) < TAG or not hmac.compare_digest(tag, _reply_tag(key, call, body)):
        raise ForeignReply(
            "an answer is not signed by a host of this cluster, or answers another call: the "
            "host has another key or another release, or something else answers in its place"
        )
    return body


def _reply_tag(key: bytes, call: bytes, body: bytes) -> bytes:
    """Signs a reply; the call is named by its own signature, which no other call has."""
    made = hmac.new(key, _REPLY + call[:TAG], "sha256")
    made.update(body)
    return made.digest()


class Turns:
    """The conversations that a host knows, and the turn of each: a call heard before is refused.

    Parameters
    ----------
    clock : callable
        `time.time`.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[tuple[str, Any], tuple[int, float]] = {}

    def take(self, grant: Grant, which: Any, turn: int) -> bool:
        """Whether a call is the next of its conversation, or the last one once more.

        Parameters
        ----------
        grant : Grant
        which : hashable
            What of the host it talks with.
        turn : int
            From 0.

        Returns
        -------
        bool
            False where it is the last one once more.

        Raises
        ------
        GrantError
            If it has expired, or comes out of turn.
        """
        now = self._clock()
        if grant.expires < now - SKEW:
            raise GrantError("the grant of a call has expired")
        with self._lock:
            if len(self._last) > _MANY:
                self._last = {k: v for k, v in self._last.items() if v[1] >= now - SKEW}
            last = self._last.get((grant.search, which), (-1, 0.0))[0]
            if turn not in (last, last + 1):
                raise GrantError("a call comes out of turn")
            self._last[grant.search, which] = (turn, grant.expires)
            return turn != last


_MANY = 10_000


def check_grant(grant: Grant, act: str, asked: Mapping[str, Any]) -> None:
    """Whether a grant is for what is asked.

    Parameters
    ----------
    grant : Grant
    act : str
        What the call does.
    asked : mapping
        ``partition`` and ``mask`` of what it would touch.

    Raises
    ------
    GrantError
        If it is for anything else.
    """
    if grant.act != act:
        raise GrantError(f"a grant for {grant.act} is none for {act}")
    if grant.partition != asked["partition"]:
        raise GrantError("a grant is for another partition")
    if grant.mask != asked["mask"]:
        raise GrantError("a grant is for another mask")
