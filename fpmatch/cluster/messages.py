"""Calls and replies as bytes: plain fields, and blobs behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fpmatch import errors
from fpmatch.checks import check_integer, check_several, check_text
from fpmatch.cluster.grants import Grant, GrantError
from fpmatch.errors import ClusterError, InputError
from fpmatch.search.frame import Frame, Kind, write

VERSION = 1
MOST_BLOBS = 65_536
LONGEST_BLOB = 1 << 32
MOST_TURNS = 1 << 20
CALL = ("verb", "grant", "turn", "said", "blobs")
REPLY = ("error", "told", "blobs")


class Behind(ClusterError):
    """A host does not have the rows yet that should exist at the state that a call names."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a host is asked.

    Parameters
    ----------
    verb : str
    grant : Grant
    turn : int
        Of the conversation that the grant names, from 0.
    said : mapping
        Plain values.
    blobs : sequence of bytes
    """

    verb: str
    grant: Grant
    turn: int = 0
    said: Mapping[str, Any] = field(default_factory=dict)
    blobs: Sequence[bytes] = ()

    def to_bytes(self) -> bytes:
        """The call as bytes, unsigned."""
        fields = {
            "verb": self.verb,
            "grant": self.grant.fields(),
            "turn": self.turn,
            "said": dict(self.said),
            "blobs": [len(blob) for blob in self.blobs],
        }
        return write(Kind.CALL, VERSION, fields, _columns(self.blobs))

    @classmethod
    def from_bytes(cls, data: bytes) -> Call:
        """Read what `to_bytes` wrote.

        Raises
        ------
        InputError
            On anything else.
        """
        frame = Frame(Kind.CALL, VERSION, data, CALL)
        f = frame.fields
        if not isinstance(f["said"], dict):
            raise InputError("what a call says must be an object")
        call = cls(
            check_text("verb", f["verb"], longest=32, empty=False),
            Grant.of(f["grant"]),
            check_integer("turn", f["turn"], 0, MOST_TURNS),
            f["said"],
            _blobs(frame, f["blobs"]),
        )
        frame.end()
        return call


@dataclass(frozen=True, slots=True)
class Reply:
    """What a host answers.

    Parameters
    ----------
    told : mapping
        Plain values.
    blobs : sequence of bytes
    """

    told: Mapping[str, Any] = field(default_factory=dict)
    blobs: Sequence[bytes] = ()

    def to_bytes(self) -> bytes:
        """The reply as bytes."""
        fields = {
            "error": None,
            "told": dict(self.told),
            "blobs": [len(blob) for blob in self.blobs],
        }
        return write(Kind.REPLY, VERSION, fields, _columns(self.blobs))


def refusal(error: BaseException, told: Mapping[str, Any]) -> bytes:
    """The reply of a host that did not do what it was asked.

    Parameters
    ----------
    error : BaseException
        Of our own tree its message is told, of others the kind alone.
    told : mapping
        Plain values that go with it.
    """
    own = isinstance(error, errors.FpmatchError)
    kind = type(error).__name__
    said = [kind, str(error) if own else f"a host failed: {kind}"]
    return write(Kind.REPLY, VERSION, {"error": said, "told": dict(told), "blobs": []}, [])


def read_reply(data: bytes) -> Reply:
    """What a host answered.

    Parameters
    ----------
    data : bytes
        Of foreign origin.

    Raises
    ------
    InputError
        If it is no reply.
    FpmatchError
        What the host raised: of the same kind where it is one of our own tree, else
        `ClusterError`. ``told`` of the error is what the host told with it.
    """
    frame = Frame(Kind.REPLY, VERSION, data, REPLY)
    f = frame.fields
    if not isinstance(f["told"], dict):
        raise InputError("what a reply tells must be an object")
    if f["error"] is not None:
        pair = check_several("error", f["error"], most=2)
        if len(pair) != 2:
            raise InputError("an error is told by its kind and its message")
        raise _error(check_text("kind", pair[0]), check_text("message", pair[1]), f["told"])
    reply = Reply(f["told"], _blobs(frame, f["blobs"]))
    frame.end()
    return reply


def _error(kind: str, message: str, told: Mapping[str, Any]) -> Exception:
    known: dict[str, Any] = {"Behind": Behind, "GrantError": GrantError}
    made = known.get(kind) or getattr(errors, kind, None)
    if not (isinstance(made, type) and issubclass(made, errors.FpmatchError)):
        made = ClusterError
    error: Exception = made(message)
    error.told = told  # type: ignore[attr-defined]
    return error


def _columns(blobs: Sequence[bytes]) -> list[np.ndarray]:
    return [np.frombuffer(blob, np.uint8) for blob in blobs]


def _blobs(frame: Frame, said: Any) -> tuple[bytes, ...]:
    sizes = [
        check_integer("a blob", n, 0, LONGEST_BLOB)
        for n in check_several("blobs", said, most=MOST_BLOBS)
    ]
    return tuple(frame.column(np.uint8, (size,)).tobytes() for size in sizes)
