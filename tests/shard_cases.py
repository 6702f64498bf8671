"""Generated searches of a partition as one index and cut up over several: all must be equal.

Run as a script it tries as many cases as it is told (`python tests/shard_cases.py 1000 7`).
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fpmatch.descriptor import PackedTemplates, SearchTemplate, encode, pack
from fpmatch.index import PartitionSearch, narrow, ranking, shortlist, subject, subject_shard
from fpmatch.index.build import build_arrays, join, select_rows
from fpmatch.index.context import SearchContext
from fpmatch.index.groups import GroupsById
from fpmatch.index.quantizer import quantizer
from fpmatch.index.rounds import Question, Step
from fpmatch.index.scales import AtScale, ScaledShard, best_groups, best_rows
from fpmatch.index.search import FingerShard
from fpmatch.index.segment import Part
from fpmatch.index.shortlist import shortlist_across
from fpmatch.index.subject import shortlist_subject_across
from fpmatch.index.subject import subject_shard as of_subject
from fpmatch.parameters import EFFORT_BALANCED, INDEX
from fpmatch.synthetic.gallery import mates, templates

DIFFERENT = 160
PEOPLE = 12
EFFORTS = ("fast", "balanced", "scan", "exhaustive")


def pool() -> tuple[PackedTemplates, list[SearchTemplate]]:
    """Search forms, the last quarter of them equal to the first so that votes tie; and probes."""
    made = pack([encode(t) for t in templates(DIFFERENT, 31)])
    again = select_rows(made, np.tile(np.arange(DIFFERENT // 4), 2))
    return join([made, again]), [encode(t) for t in mates(PEOPLE, 31)]


def low_bounds(put: Callable[[Any, str, Any], None], rng: np.random.Generator) -> None:
    """Thresholds so low that a few rows go through every stage, drawn anew for each case."""
    draw = lambda a, b: int(rng.integers(a, b))  # noqa: E731
    everything = draw(0, 30)
    low = dataclasses.replace(
        INDEX,
        exhaustive_below=everything,
        scan_below=everything + draw(0, 40),
        subject_exhaustive_below=draw(0, 20),
        subject_scan_below=draw(10, 60),
        sure_evidence=draw(1, 200),
        judge_minutiae=draw(1, 120),
        large_from=draw(60, 200),
        listed_rows=draw(1, 80),
        listed_share=float(rng.choice([0.0, 0.3])),
        groups_kept=draw(1, 12),
        groups_unsure=draw(1, 12),
        groups_least=draw(1, 8),
    )
    for module in (shortlist, subject, subject_shard, narrow, ranking):
        put(module, "INDEX", low)
    usual = dataclasses.replace(
        EFFORT_BALANCED,
        lists_least=draw(2, 40),
        rescored_least=draw(1, 30),
        rescored_share=float(rng.choice([0.0, 0.2])),
        verified_least=draw(1, 15),
        verified_share=float(rng.choice([0.0, 0.1])),
    )
    large = dataclasses.replace(usual, z_least=1.25, lists_least=draw(2, 40))
    put(ranking, "EFFORT_BALANCED", usual)
    put(ranking, "EFFORT_BALANCED_LARGE", large)
    fast = dataclasses.replace(usual, z_least=2.0, rescored_least=draw(1, 20))
    scan = dataclasses.replace(usual, lists_least=0)
    put(ranking, "PARAMETERS", {"fast": fast, "balanced": usual, "scan": scan})


@dataclasses.dataclass
class Case:
    """One search: a gallery, how it is cut up, and what is asked."""

    rng: np.random.Generator
    forms: PackedTemplates
    probes: Sequence[SearchTemplate]

    def __post_init__(self) -> None:
        rng = self.rng
        most = rng.choice([0, 2, 20, 100, 240], p=[0.03, 0.07, 0.2, 0.3, 0.4])
        count = int(most * rng.uniform(0.5, 1.0))
        self.rows = np.sort(rng.permutation(len(self.forms))[:count])
        # Ids far apart or near: ties are then told apart in one round or in many.
        spread = int(rng.choice([1, 7, 1000]))
        self.ids = np.cumsum(rng.integers(1, spread + 1, len(self.forms)))
        self.size = int(self.ids[-1]) + 1
        self.positions = rng.integers(0, int(rng.integers(1, 5)), len(self.forms)).astype(np.uint8)
        self.group_of = rng.integers(0, int(rng.choice([2, 60, 300])), len(self.forms))
        if rng.random() < 0.3:
            self.group_of = np.arange(len(self.forms))
        self.groups = np.zeros(self.size, np.int64)
        self.groups[self.ids] = self.group_of
        self.shards = int(rng.integers(1, 9))
        shard_of = rng.integers(0, self.shards, int(self.group_of.max()) + 1)
        if rng.random() < 0.2:
            shard_of[:] = rng.integers(0, self.shards)
        self.shard_of = shard_of[self.group_of]
        self.dead = rng.random(len(self.forms)) < rng.choice([0.0, 0.1])
        self.effort = str(rng.choice(EFFORTS, p=[0.2, 0.45, 0.25, 0.1]))
        self.rotation = str(rng.choice(["upright", "any"], p=[0.8, 0.2]))
        self.scales = int(rng.choice([1, 2, 3], p=[0.7, 0.15, 0.15]))
        self.limit = None if rng.random() < 0.6 else int(rng.choice([0, 1, 2, 7, 40, 1000]))
        self.allowed = self._mask()
        self.lists = quantizer(256)

    def _mask(self) -> np.ndarray | None:
        rng = self.rng
        way = rng.choice(
            ["none", "some", "shard", "nothing", "short"], p=[0.35, 0.3, 0.2, 0.05, 0.1]
        )
        if way == "none":
            return None
        allowed = rng.random(self.size) < rng.choice([0.1, 0.5, 0.95])
        if way == "shard":
            allowed[:] = True
            allowed[self.ids[self.shard_of == rng.integers(0, self.shards)]] = False
        if way == "nothing":
            allowed[:] = False
        return allowed[: self.size // 2] if way == "short" else allowed

    def context(self, rows: np.ndarray) -> SearchContext:
        """The search of an index that holds these rows, in up to three parts."""
        cuts = sorted(self.rng.integers(0, len(rows) + 1, int(self.rng.integers(0, 3))).tolist())
        parts = []
        for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True):
            some = rows[a:b]
            if len(some):
                packed = select_rows(self.forms, some)
                part = Part(build_arrays(self.ids[some], self.positions[some], packed, self.lists))
                part.live[part.find(self.ids[some[self.dead[some]]])] = 0
                parts.append(part)
        return SearchContext(
            tuple(parts),
            self.lists,
            allowed=self.allowed,
            effort=self.effort,
            rotation=self.rotation,
            limit=self.limit,
        )

    def pieces(self) -> list[np.ndarray]:
        """The rows of each shard."""
        return [self.rows[self.shard_of[self.rows] == n] for n in range(self.shards)]

    def asked(self) -> tuple[list[list[SearchTemplate]], list[int]]:
        """Of each scale the fingers, and their positions."""
        several = int(self.rng.choice([1, 1, 2, 3, 5]))
        chosen = [
            [self.probes[n] for n in self.rng.integers(0, len(self.probes), several)]
            for _ in range(self.scales)
        ]
        return chosen, self.rng.integers(0, 4, several).tolist()


def answer_bytes(short: Any) -> tuple[Any, ...]:
    """All that a shortlist says but the time."""
    several = hasattr(short, "groups")
    ids = [short.groups, *short.row_ids] if several else [short.row_ids]
    cost = dataclasses.replace(short.cost, milliseconds={})
    return tuple(a.tobytes() for a in (*ids, short.votes)), short.exhaustive, cost


def whole(search: PartitionSearch, case: Case, scales: list, places: list[int]) -> list[Any]:
    """Everything that a search answers: lists, votes, counters, scores."""
    one = best_rows(search.shortlist(probes[0], places[0]) for probes in scales)
    scores = [search.verify(probes[0], one.row_ids).tobytes() for probes in scales]
    return [answer_bytes(one), *scores]


def subject_of(search: PartitionSearch, case: Case, scales: list, places: list[int]) -> list[Any]:
    """The same of several fingers of one person."""
    lists = (search.shortlist_subject(probes, case.groups, places) for probes in scales)
    person = best_groups(lists, case.groups)
    out = [answer_bytes(person)]
    for probes in scales:
        pairs = zip(probes, person.row_ids, strict=True)
        out += [search.verify(p, rows).tobytes() for p, rows in pairs]
    return out


def check(
    rng: np.random.Generator,
    forms: PackedTemplates,
    probes: Sequence[SearchTemplate],
    wrap: Callable[[Any, Any], Any] | None = None,
) -> Counter[str]:
    """One case; what it met. `wrap` puts something between the rounds and a shard."""
    case = Case(rng, forms, probes)
    asked, places = case.asked()
    pieces = case.pieces()
    met: Counter[str] = Counter()
    for ask in (whole, subject_of):
        one = ask(PartitionSearch(case.context(case.rows)), case, asked, places)
        contexts = [case.context(piece) for piece in pieces]
        assert ask(PartitionSearch(*contexts), case, asked, places) == one, case
        met["subject" if ask is subject_of else "finger"] += 1
        if wrap is not None:
            assert over(wrap, ask, case, (asked, places), met) == one, case
    met[f"{case.shards} shards"] += 1
    met[case.effort] += 1
    met[f"{case.scales} scales"] += 1
    met["empty shards"] += any(not len(piece) for piece in pieces)
    return met


def over(
    wrap: Callable[[Any, Any], Any],
    ask: Callable[..., Any],
    case: Case,
    asked: tuple[list[list[SearchTemplate]], list[int]],
    met: Counter[str],
) -> list[Any]:
    """The same through wrapped shards, and scores asked for in rounds."""
    scales, places = asked
    contexts = [case.context(piece) for piece in case.pieces()]
    fingers = [list(zip(probes, places, strict=True)) for probes in scales]
    if ask is whole:
        shards = [
            wrap(ScaledShard([FingerShard(c, c.apply_mask(places[0]), p[0]) for p in scales]), met)
            for c in contexts
        ]
        short: Any = best_rows(
            shortlist_across(AtScale(shards, n), probes[0], case.effort, case.limit)
            for n, probes in enumerate(scales)
        )
        rows = [short.row_ids]
    else:
        by_id = GroupsById(case.groups)
        shards = [
            wrap(ScaledShard([of_subject(c, those, by_id) for those in fingers]), met)
            for c in contexts
        ]
        lists = (
            shortlist_subject_across(AtScale(shards, n), those, case.effort, case.limit)
            for n, those in enumerate(fingers)
        )
        short = best_groups(lists, case.groups)
        rows = list(short.row_ids)
    out = [answer_bytes(short)]
    for scale, _ in enumerate(scales):
        for finger, mine in enumerate(rows):
            question = Question(Step.VERIFY, finger, rows=mine, scale=scale)
            scores = np.max([shard.ask(question).scores for shard in shards], axis=0)
            out.append(scores.astype(np.int32).tobytes())
    return out


class Counting:
    """A shard that counts the rounds it is asked for."""

    def __init__(self, inner: Any, met: Counter[str]) -> None:
        self._inner, self._met = inner, met

    def ask(self, question: Question) -> Any:
        self._met[question.step.value] += 1
        return self._inner.ask(question)


def main(cases: int, seed: int) -> None:
    """Try so many cases, and print what they met."""
    forms, probes = pool()
    met: Counter[str] = Counter()
    begun = time.monotonic()
    for number in range(cases):
        rng = np.random.default_rng([seed, number])
        low_bounds(setattr, rng)
        try:
            met += check(rng, forms, probes, Counting)
        except BaseException:
            sys.stderr.write(f"case {number} of seed {seed}\n")
            raise
    told = ", ".join(f"{what} {count}" for what, count in sorted(met.items()))
    sys.stdout.write(f"{cases} cases equal, {time.monotonic() - begun:.0f} s: {told}\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
