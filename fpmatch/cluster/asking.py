"""Asks sets of replicas, and gets an answer from each as long as one replica of it lives.

A search asks in rounds, and each replica keeps the search's place. A replica that joins in the
middle is asked all earlier questions first: rounds are deterministic, so that it ends up in the
same place. Its answers to them are compared with those that were used; where they differ (a record
was removed in between), the search has to begin again: `Diverged`.

Whether a host lives is found out here and not left to the transport, which may take a minute: a
host that has been silent for a while is pinged, then another replica is asked as well (a hedge; see
Dean and Barroso, The Tail at Scale, 2013), then it is given up. A host that works long and
answers pings is left to work.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from fpmatch.cluster.suspects import Suspects, answered
from fpmatch.cluster.talk import Essence, Leg, Talk, Unusable, whole
from fpmatch.cluster.transport import PING, Transport
from fpmatch.cluster.waiting import Clock, SystemClock
from fpmatch.errors import ClusterError, SearchCancelled
from fpmatch.index import Cancel
from fpmatch.parameters import ASKING, AskingParameters

COUNTED = (
    "calls",
    "retries",
    "hedges",
    "replays",
    "pings",
    "lost",
    "refused",
    "diverged",
    "uncovered",
)


class Diverged(ClusterError):
    """Two replicas answered the same round differently: what they hold has changed in between."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an `Asking` has done since it was made.

    Parameters
    ----------
    calls : int
        Questions sent, those below among them; no pings.
    retries : int
        Questions sent to another replica because the one before was lost.
    hedges : int
        Questions sent to another replica because the one before was silent or slow.
    replays : int
        Earlier questions sent to a replica that joined in the middle.
    pings : int
    lost : int
        Replicas given up in a search.
    refused : int
        Replicas that answered, but not the question: behind, or begun again in mid-search.
    diverged : int
        Searches that had to begin again.
    uncovered : int
        Sets of replicas of which none was left in a search.
    """

    calls: int = 0
    retries: int = 0
    hedges: int = 0
    replays: int = 0
    pings: int = 0
    lost: int = 0
    refused: int = 0
    diverged: int = 0
    uncovered: int = 0


class Asking:
    """Asks sets of replicas over a transport; safe for threads, each with talks of its own.

    Parameters
    ----------
    transport : Transport
    patience : AskingParameters, optional
        How long a host may be silent.
    clock : Clock, optional
    """

    def __init__(
        self,
        transport: Transport,
        patience: AskingParameters = ASKING,
        clock: Clock | None = None,
    ) -> None:
        self._transport = transport
        self._patience = patience
        self._clock = SystemClock() if clock is None else clock
        self._suspects = Suspects(lambda host: transport.submit(host, PING), patience)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    @property
    def suspects(self) -> tuple[str, ...]:
        """Hosts that are asked last, ascending."""
        return self._suspects.names

    def suspect(self, host: str) -> None:
        """Ask a host last, as it did not answer elsewhere, until it has answered a ping.

        Parameters
        ----------
        host : str
        """
        self._suspects.add(host, self._clock.now())

    def clear(self, host: str) -> None:
        """Suspect a host no longer, as it has answered elsewhere.

        Parameters
        ----------
        host : str
        """
        self._suspects.clear(host)

    def look(self) -> None:
        """Ping suspects that are due, and clear those that have answered; waits for nobody."""
        self._count("pings", self._suspects.look(self._clock.now()))

    @property
    def counts(self) -> Asked:
        """What was done since this was made."""
        with self._lock:
            return Asked(**{name: self._counts[name] for name in COUNTED})

    def talk(self, replicas: Sequence[str], essence: Essence = whole) -> Talk:
        """Begin a search's conversation with hosts that hold the same.

        Who is asked first is drawn: turns in order would pass over the same hosts for ever where
        sets or partitions are even in number, and nobody would notice that one is behind.

        Parameters
        ----------
        replicas : sequence of str
            Without any, nothing is covered. Suspects are asked last.
        essence : callable, optional
            Of a question and its answer: what must be equal whichever replica answers. The whole
            answer, unless given. Where it raises `Unusable`, another replica is asked.
        """
        first = random.randrange(max(len(replicas), 1))
        order = (*replicas[first:], *replicas[:first])
        return Talk(self._suspects.last(order), essence)

    def ask(
        self,
        talks: Sequence[Talk],
        questions: Sequence[bytes],
        deadline: float | None = None,
        cancel: Cancel | None = None,
    ) -> list[bytes | None]:
        """One round: ask each set of replicas its question, all at the same time.

        Parameters
        ----------
        talks : sequence of Talk
        questions : sequence of bytes
            One for each.
        deadline : float, optional
            When what was not answered counts as not covered; as the clock says it.
        cancel : object with ``is_set``, optional

        Returns
        -------
        list of bytes or None
            The answer of each; None where no replica is left, or none has answered in time. Such
            a talk is over: it is not asked in later rounds.

        Raises
        ------
        SearchCancelled
            If `cancel` is set.
        Diverged
            If a replica that took over does not hold what the one before it held.
        """
        self._count("pings", self._suspects.look(self._clock.now()))
        answers: dict[int, bytes] = {}
        until = float("inf")
        for talk, question in zip(talks, questions, strict=True):
            if talk.covered:
                talk.questions.append(question)
                self._begin(talk)
        while True:
            if cancel is not None and cancel.is_set():
                raise SearchCancelled("the caller cancelled; hosts were not waited for")
            now = self._clock.now()
            _excuse(talks, now - until)
            wake = now + self._patience.look_again if cancel is not None else float("inf")
            waiting: set[Future[bytes]] = set()
            for number, talk in enumerate(talks):
                if number in answers or not talk.covered:
                    continue
                answer = self._look(talk, now)
                if answer is not None:
                    answers[number] = answer
                elif not talk.running or (deadline is not None and now >= deadline):
                    talk.covered = False
                    self._count("uncovered")
                else:
                    wake = min(wake, self._next_look(talk, now))
                    waiting.update(_futures(talk))
            if not waiting:
                return [answers.get(number) for number in range(len(talks))]
            until = wake if deadline is None else min(wake, deadline)
            self._clock.wait(waiting, until)

    def _begin(self, talk: Talk) -> None:
        """Ask the replica that answered last, which is in the right place.

        One that has fallen silent since, elsewhere, keeps its place and is asked last: a search
        waits for a host that fails once, not once more in each set that it answers for.
        """
        if talk.running and not self._is_replaceable(talk, talk.running[0].host):
            self._send(talk, talk.running[0])
            return
        moved = bool(talk.running)
        talk.running = []
        self._another(talk, "hedges" if moved else None)

    def _is_replaceable(self, talk: Talk, host: str) -> bool:
        """Whether a host is suspected, and another may be asked that is not."""
        suspects = self._suspects.names
        return host in suspects and any(
            other not in suspects and other not in talk.out for other in talk.replicas
        )

    def _look(self, talk: Talk, now: float) -> bytes | None:
        """The answer to a talk's question, if it is there; whoever else has to be asked is."""
        for leg in tuple(talk.running):
            answer = self._hear(talk, leg, now)
            if answer is not None:
                self._settle(talk, leg, now)
                return answer
        if not talk.running:
            self._another(talk, "retries")
        elif all(self._is_late(leg, now) for leg in talk.running):
            self._suspect_silent(talk, now)
            self._another(talk, "hedges")
        # One that has failed at once is looked at now: nothing else would wake the round.
        if any(leg.future is not None and leg.future.done() for leg in talk.running):
            return self._look(talk, now)
        return None

    def _hear(self, talk: Talk, leg: Leg, now: float) -> bytes | None:
        """What a replica says: its answer to the round's question, or None until then."""
        while leg.future is not None and leg.future.done():
            if not answered(leg.future):
                self._give_up(talk, leg, now)
                return None
            answer, leg.future, leg.ping, leg.heard = leg.future.result(), None, None, now
            number, leg.at = leg.at, leg.at + 1
            try:
                essence = talk.essence(talk.questions[number], answer)
            except Unusable:
                self._leave(talk, leg, "refused")
                return None
            if number == len(talk.answers):
                talk.answers.append(essence)
                return answer
            if essence != talk.answers[number]:
                self._count("diverged")
                raise Diverged(f"host {leg.host} does not hold what another replica held")
            self._send(talk, leg)
        if leg.ping is not None and leg.ping.done():
            if not answered(leg.ping):
                self._give_up(talk, leg, now)
                return None
            leg.ping, leg.heard = None, now
            self._suspects.clear(leg.host)
        if leg.ping is None and now >= leg.heard + self._patience.ping_after:
            leg.ping = self._transport.submit(leg.host, PING)
            self._count("pings")
        if now >= leg.heard + self._patience.lost_after:
            self._give_up(talk, leg, now)
        return None

    def _give_up(self, talk: Talk, leg: Leg, now: float) -> None:
        self._suspects.add(leg.host, now)
        self._leave(talk, leg, "lost")

    def _leave(self, talk: Talk, leg: Leg, why: str) -> None:
        talk.running.remove(leg)
        talk.out.add(leg.host)
        self._count(why)

    def _settle(self, talk: Talk, winner: Leg, now: float) -> None:
        """The round is answered: the others are let be, and those that were silent suspected."""
        talk.running.remove(winner)
        self._suspect_silent(talk, now)
        self._suspects.clear(winner.host)
        talk.running = [winner]

    def _suspect_silent(self, talk: Talk, now: float) -> None:
        """No other search, nor another set of this one, need wait for those as long again."""
        for leg in talk.running:
            if self._is_silent(leg, now):
                self._suspects.add(leg.host, now)

    def _another(self, talk: Talk, why: str | None) -> None:
        """Ask a replica that is not asked yet: from the first question, or where it stayed."""
        now = self._clock.now()
        asked = {leg.host for leg in talk.running} | talk.out
        for host in self._suspects.last(talk.replicas):
            if host in asked:
                continue
            leg = talk.legs.setdefault(host, Leg(host))
            talk.running.append(leg)
            leg.since = leg.heard = now
            if why is not None:
                self._count(why)
            if leg.future is None:
                self._send(talk, leg)
            return

    def _send(self, talk: Talk, leg: Leg) -> None:
        leg.since = leg.heard = self._clock.now()
        leg.future = self._transport.submit(leg.host, talk.questions[leg.at])
        self._count("calls")
        if leg.at < talk.round:
            self._count("replays")

    def _is_silent(self, leg: Leg, now: float) -> bool:
        return now >= leg.heard + self._patience.hedge_after

    def _is_late(self, leg: Leg, now: float) -> bool:
        return self._is_silent(leg, now) or now >= leg.since + self._patience.slow_after

    def _next_look(self, talk: Talk, now: float) -> float:
        """When something is to be done about a talk even if nobody answers."""
        times = [self._patience.ping_after, self._patience.hedge_after, self._patience.lost_after]
        moments = [
            moment
            for leg in talk.running
            for moment in (
                *(leg.heard + time for time in times),
                leg.since + self._patience.slow_after,
            )
        ]
        return min((moment for moment in moments if moment > now), default=float("inf"))

    def _count(self, what: str, more: int = 1) -> None:
        with self._lock:
            self._counts[what] += more


def _excuse(talks: Sequence[Talk], late: float) -> None:
    """Time in which this process stood still is nobody's silence: hosts were not listened to."""
    for leg in [leg for talk in talks for leg in talk.running] if late > 0 else ():
        leg.heard += late
        leg.since += late


def _futures(talk: Talk) -> list[Future[bytes]]:
    """What a talk's round waits for."""
    both = (future for leg in talk.running for future in (leg.future, leg.ping))
    return [future for future in both if future is not None]
