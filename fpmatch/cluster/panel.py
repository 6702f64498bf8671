"""The hosts that one search asks, round by round, as one panel of shards."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fpmatch.cluster.asking import Asking, Diverged
from fpmatch.cluster.grants import TAG, Grant, Granter
from fpmatch.cluster.messages import Behind, Call, Reply, read_reply
from fpmatch.cluster.talk import Talk, Unusable
from fpmatch.errors import ClusterError, CorruptError, StorageError
from fpmatch.index import Cancel
from fpmatch.index.rounds import Answer, Panel, Question
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.search.round_messages import answer_from_bytes, answer_to_bytes, question_to_bytes
from fpmatch.types import SearchCost

log = logging.getLogger(__name__)
AWRY = (Behind, ClusterError, CorruptError, StorageError, PermissionError)
"""What is wrong with one host, and may be well with another that holds the same."""


class NothingCovered(ClusterError):
    """No host that could be asked is left."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a search asks hosts, all rounds of it.

    Parameters
    ----------
    grant : Grant
    request : PartitionRequest
        As hosts are told it.
    below : int
        Rows from this number on are not seen.
    exact : bool
        Whether a host that is ahead of the grant's state is wrong.
    deadline : float or None
        `time.monotonic`.
    cancel : Cancel or None
    """

    grant: Grant
    request: PartitionRequest
    below: int
    exact: bool
    deadline: float | None = None
    cancel: Cancel | None = None

    @property
    def positions(self) -> int:
        """Different positions that the fingers are searched under."""
        return len({int(self.request.probe.seen(p)) for p, _ in self.request.probe.fingers})

    @property
    def seconds_left(self) -> float | None:
        """Until the deadline."""
        return None if self.deadline is None else self.deadline - time.monotonic()


@dataclass(slots=True)
class Piece:
    """Buckets that the same hosts hold, in one search.

    Parameters
    ----------
    buckets : tuple of int
    hosts : tuple of str
        Those that may be asked yet.
    talk : Talk
    attempt : int
        Grows when all rounds are asked again: each is a conversation of its own.
    """

    buckets: tuple[int, ...]
    hosts: tuple[str, ...]
    talk: Talk
    attempt: int = 0


class HostPanel(Panel):
    """A `Panel` whose shards are buckets at hosts, all asked at the same time.

    Parameters
    ----------
    asking : Asking
    granter : Granter
        Signs what is asked.
    asked : Asked
    sets : sequence of (hosts, buckets)
        Every bucket once.
    catch_up : callable
        Of a host that is behind: brings it level, now if asked to wait.

    Attributes
    ----------
    lost : set of int
        Buckets of which no host is left.
    ahead : bool
        Whether a host showed more than the state that the search named.
    sent, received : int
        Bytes.
    """

    def __init__(
        self,
        asking: Asking,
        granter: Granter,
        asked: Asked,
        sets: Sequence[tuple[tuple[str, ...], tuple[int, ...]]],
        catch_up: Callable[[str, bool], None],
    ) -> None:
        super().__init__(())
        self._asking = asking
        self._granter = granter
        self._asked = asked
        self._catch_up = catch_up
        self._pieces = [Piece(buckets, hosts, self._talk(hosts)) for hosts, buckets in sets]
        self._questions: list[Question] = []
        self.lost: set[int] = set()
        self.ahead = False
        self.sent = self.received = 0

    def ask(self, question: Question) -> list[Answer]:
        """See `Panel.ask`.

        Parameters
        ----------
        question : Question

        Returns
        -------
        list of Answer
            Of each set of buckets that some host still answers for.

        Raises
        ------
        NothingCovered
            If there is none.
        Diverged
            If what hosts hold has changed in between: the search has to begin again.
        SearchCancelled
        """
        self._questions.append(question)
        turn = len(self._questions) - 1
        calls = [self._call(piece, turn) for piece in self._pieces]
        found = self._rounds([piece.talk for piece in self._pieces], calls)
        answers, stay = [], []
        for piece, data in zip(self._pieces, found, strict=True):
            answer = self._read(piece, data, turn)
            if answer is None:
                self.lost.update(piece.buckets)
                continue
            stay.append(piece)
            answers.append(answer)
        self._pieces = stay
        if not answers:
            raise NothingCovered("no host that holds the partition answers")
        return answers

    def end(self, tell: Callable[[str, bytes], None]) -> None:
        """Let hosts forget the search; nobody waits for it.

        Parameters
        ----------
        tell : callable
            Of a host and a call.
        """
        grant = self._asked.grant
        call = self._granter.sign(grant, Call("end", grant).to_bytes())
        for host in {host for piece in self._pieces for host in piece.talk.legs}:
            tell(host, call)

    def _read(self, piece: Piece, data: bytes | None, turn: int) -> Answer | None:
        """What a piece answered; another host is asked where one could not."""
        late: list[str] = []
        waited = False
        while True:
            if data is None:
                if waited or not late:
                    return None
                # The last one that lives and holds these buckets: worth waiting for.
                waited = True
                self._catch_up(late[-1], True)
                data = self._again(piece, (late[-1],), turn)
                continue
            self.received += len(data)
            try:
                reply = self._reply(piece.talk.questions[-1], data)
                self.ahead |= bool(reply.told.get("ahead"))
                return self._answer(reply.blobs[0], turn)
            except AWRY as error:
                host = str(getattr(error, "told", {}).get("host", ""))
                if host not in piece.hosts:
                    raise
                left = tuple(h for h in piece.hosts if h != host)
                if not isinstance(error, Behind):
                    # A key, a clock or a disk: nobody else would say here why an answer is in part.
                    log.warning("host %s does not answer a search: %s", host, error)
                else:
                    late.append(host)
                    if left:
                        self._catch_up(host, False)
                if left:
                    data = self._again(piece, left, turn)
                elif late and not waited:
                    data = None
                elif turn:
                    # It was in the middle of this search and has begun again since.
                    raise Diverged(f"host {host} has lost its place in a search") from error
                else:
                    return None

    def _again(self, piece: Piece, hosts: tuple[str, ...], turn: int) -> bytes | None:
        """The last round, asked of other hosts behind all earlier ones.

        What they answer to those has to be what was used: they may be ahead of the first.
        """
        used = piece.talk.answers[:turn]
        piece.hosts, piece.talk = hosts, self._talk(hosts)
        piece.attempt += 1
        piece.talk.questions = [self._call(piece, n) for n in range(turn)]
        piece.talk.answers = used
        (data,) = self._rounds([piece.talk], [self._call(piece, turn)])
        return data

    def _rounds(self, talks: list[Talk], calls: list[bytes]) -> list[bytes | None]:
        self.sent += sum(map(len, calls))
        asked = self._asked
        return self._asking.ask(talks, calls, asked.deadline, asked.cancel)

    def _talk(self, hosts: tuple[str, ...]) -> Talk:
        return self._asking.talk(hosts, self._essence)

    def _call(self, piece: Piece, turn: int) -> bytes:
        asked = self._asked
        said = {
            "buckets": list(piece.buckets),
            "attempt": piece.attempt,
            "below": asked.below,
            "exact": asked.exact,
            "seconds_left": asked.seconds_left,
        }
        blobs = [question_to_bytes(self._questions[turn])]
        if not turn:
            blobs.insert(0, asked.request.to_bytes())
        return self._granter.sign(
            asked.grant, Call("ask", asked.grant, turn, said, blobs).to_bytes()
        )

    def _answer(self, data: bytes, turn: int) -> Answer:
        return answer_from_bytes(data, self._questions[turn], self._asked.positions)

    def _reply(self, call: bytes, data: bytes) -> Reply:
        return read_reply(self._granter.heard(call, data))

    def _essence(self, question: bytes, answer: bytes) -> object:
        """What replicas answer alike: all but how long it took them.

        Raises
        ------
        Unusable
            If it is no answer of a host of this cluster to this question: another is asked.
        """
        try:
            reply = self._reply(question, answer)
            turn = Call.from_bytes(question[TAG:]).turn
            said = self._answer(reply.blobs[0], turn)
        except Exception as error:
            if hasattr(error, "told"):
                # A refusal, which is an answer.
                return type(error).__name__
            log.warning("a host's answer cannot be used: %s", error)
            raise Unusable(str(error)) from error
        cost: SearchCost = replace(said.cost, milliseconds={})
        return answer_to_bytes(replace(said, cost=cost))
