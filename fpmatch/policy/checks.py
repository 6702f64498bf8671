"""What must hold between the parts of a policy document before it can mean anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from fpmatch.errors import PolicyFileError
from fpmatch.policy import model
from fpmatch.policy.condition import vocabulary
from fpmatch.policy.lines import Location
from fpmatch.policy.model import MAX_PARTITIONS, ROOT
from fpmatch.policy.registry import Registry

Fail = Callable[[Location, str], PolicyFileError]


class Checks:
    """Checks against the registry, each complaining with a place in the document."""

    def __init__(self, base: model.Declared, fail: Fail) -> None:
        self.base = base
        self.fail = fail
        self.partitions = {p.name for p in base.partitions}
        self.nodes = {j.id for j in base.jurisdictions} | {a.ori for a in base.agencies}
        self.words = vocabulary(base)
        self.origins: dict[str, list[int]] = {}
        self.scope = Registry(base).scope

    def _check_partitions(self) -> None:
        partitions = self.base.partitions
        self._unique("partition", (p.name for p in partitions))
        if not 1 <= len(partitions) <= MAX_PARTITIONS:
            raise self.fail(
                ("partition",), f"{len(partitions)} partitions; a policy has 1 to {MAX_PARTITIONS}"
            )
        seen: dict[int, str] = {}
        for i, p in enumerate(partitions):
            other = seen.setdefault(p.ndr, p.name)
            if other != p.name:
                raise self.fail(
                    ("partition", i, "ndr"), f"ndr {p.ndr} is taken by {other!r}; give another"
                )
            if p.name == ROOT:
                raise self.fail(("partition", i, "name"), "'*' means all partitions; rename it")
            for key in ("protected_roles", "minutiae_roles"):
                for role in getattr(p, key):
                    if role not in self.base.roles:
                        raise self.fail(("partition", i, key), f"add {role!r} to the list 'roles'")

    def _check_tree(self) -> None:
        parents = {j.id: j.parent for j in self.base.jurisdictions}
        self._unique("jurisdiction", (j.id for j in self.base.jurisdictions))
        for i, j in enumerate(self.base.jurisdictions):
            at = ("jurisdiction", i)
            if j.id == ROOT:
                raise self.fail((*at, "id"), "'*' stands for everyone; choose another id")
            if j.parent and j.parent not in parents:
                raise self.fail((*at, "parent"), f"no [[jurisdiction]] has the id {j.parent!r}")
            for partition in j.require_consent:
                self._known_partition((*at, "require_consent"), partition)
            above, steps = j.parent, 0
            while above:
                above, steps = parents.get(above, ""), steps + 1
                if steps > len(parents):
                    raise self.fail((*at, "parent"), f"{j.id!r} lies above itself; cut the circle")
        self._check_agencies(parents)

    def _check_agencies(self, parents: dict[str, str]) -> None:
        oris: set[str] = set()
        for i, a in enumerate(self.base.agencies):
            at = ("agency", i)
            if a.ori in oris or a.ori in parents:
                raise self.fail((*at, "ori"), f"{a.ori} is registered twice; remove one")
            oris.add(a.ori)
            if a.parent and a.parent not in parents:
                raise self.fail((*at, "parent"), f"no [[jurisdiction]] has the id {a.parent!r}")
            self._order((*at, "to"), a.start, a.end)
            for partition in a.acknowledges:
                self._known_partition((*at, "acknowledges"), partition)
        for i, j in enumerate(self.base.jurisdictions):
            if j.via and j.via not in oris:
                raise self.fail(("jurisdiction", i, "via"), f"no [[agency]] has the ORI {j.via!r}")

    def _authority(
        self,
        at: Location,
        written: model.Authority | None,
        author: str,
        partitions: tuple[str, ...],
    ) -> model.Authority:
        if written is not None:
            return written
        inferred = self.scope.infer(author, partitions)
        if inferred is None:
            raise self.fail(
                (*at, "author"),
                f"{author!r} is no agency, no jurisdiction and not the partition's owner; "
                "correct it, or say which authority it claims",
            )
        return inferred

    def _known_partition(self, at: Location, name: str, *, star: bool = False) -> None:
        if name not in self.partitions and not (star and name == ROOT):
            known = ", ".join(sorted(self.partitions))
            raise self.fail(at, f"no [[partition]] is named {name!r}; known: {known}")

    def _known_node(self, at: Location, who: str) -> None:
        if who not in self.nodes and who != ROOT:
            raise self.fail(at, f"{who!r} is no registered agency or jurisdiction; register it")

    def _known_word(self, at: Location, field: str, value: str) -> None:
        if value not in self.words[field]:
            known = ", ".join(repr(w) for w in sorted(self.words[field]))
            raise self.fail(at, f"{value!r} is no known {field}; known: {known}")

    def _unique(self, table: str, ids: Iterable[str]) -> None:
        seen: set[str] = set()
        for i, one in enumerate(ids):
            if one in seen:
                origins = self.origins.get(table)
                at = (table, origins[i] if origins else i)
                raise self.fail(at, f"{table} {one!r} is there twice; rename or remove one")
            seen.add(one)

    def _order(self, at: Location, start: datetime | None, end: datetime | None) -> None:
        if start is not None and end is not None and end <= start:
            raise self.fail(at, f"ends at {end} before it begins at {start}; swap the dates")
