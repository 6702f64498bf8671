"""`Policy`: the one class that callers hold."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpmatch.checks import path_of, quoted
from fpmatch.errors import PolicyError, PolicyFileError
from fpmatch.policy import write
from fpmatch.policy.editing import Editing
from fpmatch.policy.instant import Instant, instant
from fpmatch.policy.memo import Memo
from fpmatch.policy.model import Declared, OptOutRequest, OptOutStatus
from fpmatch.policy.ordinary import ordinary
from fpmatch.policy.problems import authority_problems
from fpmatch.policy.registry import Registry
from fpmatch.policy.rewrite import Written
from fpmatch.types import Decision, Facts, PartitionInfo

if TYPE_CHECKING:
    from fpmatch.policy.explain import Explanation
    from fpmatch.policy.lint import Finding
    from fpmatch.policy.matrix import Matrix
    from fpmatch.policy.never import Never
    from fpmatch.policy.read import Progress
    from fpmatch.policy.report import Coverage, Difference
    from fpmatch.policy.table import MaskTable


class Policy(Editing):
    """Who may search what, who sees it, who is told: an immutable, versioned document.

    Made by `load` or `parse`; changed by methods that return a new policy of the next version.
    Reading it is thread-safe.
    """

    def __init__(self, declared: Declared) -> None:
        super().__init__(declared)
        self._memo = Memo(self._registry)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        lenient: bool = False,
        progress: Progress | None = None,
    ) -> Policy:
        """Read a TOML file; see ``docs/policy.md`` for its keys.

        Parameters
        ----------
        path : path
            Of the TOML file.
        lenient : bool
            Accept rules outside their author's authority, without effect, so that `lint` can
            list them all; by default the first one is an error.
        progress : callable, optional
            Called as ``progress(stage, done, total)`` while agencies are read.

        Raises
        ------
        PolicyFileError
            If the file cannot be read or is malformed; names file, line and fix.
        PolicyError
            If a rule lies outside its author's authority.
        """
        path = path_of(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PolicyFileError(f"{path}: cannot be read as UTF-8 text: {error}") from None
        return cls._read(text, path.name, path.parent, lenient, progress)

    @classmethod
    def parse(cls, text: str, name: str = "policy.toml", *, lenient: bool = False) -> Policy:
        """Read a policy from TOML text; as `load`. ``name`` is what messages call it.

        Parameters
        ----------
        text : str
            TOML.
        name : str
            What messages call it.
        lenient : bool
            As in `load`.

        Raises
        ------
        PolicyFileError
            If it is no text, or no policy.
        """
        if not isinstance(text, str):
            raise PolicyFileError(f"a policy is TOML text, not {quoted(text)}")
        return cls._read(text, name, None, lenient, None)

    @classmethod
    def _read(
        cls,
        text: str,
        name: str,
        folder: Path | None,
        lenient: bool,
        progress: Progress | None,
        besides: tuple[str, ...] = (),
    ) -> Policy:
        from fpmatch.policy import read

        declared, source = read.read(
            text, name, folder=folder, progress=progress or read._silent, besides=besides
        )
        policy = cls(declared)
        if not besides:
            policy._written = Written.of(text, declared, source.origins)
        problems = [] if lenient else policy.authority_problems()
        if problems:
            table, item, problem = problems[0]
            raise PolicyError(str(source.error(source.place(table, item), problem)))
        return policy

    def authority_problems(self) -> list[tuple[str, int, str]]:
        """Everything that lies outside its author's authority: (kind, index, why)."""
        return authority_problems(self._registry)

    @property
    def declared(self) -> Declared:
        """The policy as written, as frozen values."""
        return self._declared

    @property
    def registry(self) -> Registry:
        """Indexes over the declared policy."""
        return self._registry

    @property
    def version(self) -> int:
        """Version number; each change makes the next one."""
        return self._declared.version

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the policy says, in hexadecimal.

        Equal for documents that say the same in another order or layout; the version number
        is not part of it.
        """
        return write.digest(self._declared)

    def unknown_uses(self, uses: Iterable[str]) -> tuple[str, ...]:
        """Uses of records that no search under this policy can make, sorted.

        Parameters
        ----------
        uses : iterable of str
            As in `Record.banned_uses`.
        """
        words = self.registry.words
        possible = {
            "retained",
            *words["transaction"],
            *(f"purpose:{purpose}" for purpose in words["purpose"]),
            *(f"role:{role}" for role in words["role"] if role),
        }
        return tuple(sorted(set(uses) - possible))

    @property
    def partitions(self) -> tuple[PartitionInfo, ...]:
        """The partitions the policy knows, in its own order: bit ``i`` of a mask is the i-th."""
        return tuple(PartitionInfo(p.name, p.ndr, p.owner) for p in self._declared.partitions)

    def decide(self, facts: Facts, at: datetime) -> Decision:
        """Decide once, for every partition, before anything is compared.

        Parameters
        ----------
        at : datetime
            With an offset; rules hold in half-open intervals ``[from, to)``.
        """
        return self._memo.decide(facts, instant(at), self.digest)

    def explain(
        self,
        *,
        ori: str,
        partition: str,
        at: Instant | None = None,
        chain: tuple[str, ...] | None = None,
        **facts: Any,
    ) -> Explanation:
        """Which rule decides, by what authority, and who could change it.

        Parameters
        ----------
        ori : str
            The booking agency.
        partition : str
            Name of the partition.
        at : datetime, date or ISO text, optional
            Past, present or future; now by default.
        chain : tuple of str, optional
            The further agencies; by default the bureau that the registry names.
        **facts
            Any other field of `Facts`; ``transaction`` is the policy's first one by default.
        """
        from fpmatch.policy.explain import explain

        return explain(self._registry, self.facts(ori, chain, **facts), partition, instant(at))

    def facts(self, ori: str, chain: tuple[str, ...] | None = None, **facts: Any) -> Facts:
        """Facts of an ordinary search by an agency, for explanations and reports."""
        return ordinary(self._registry, ori, chain, **facts)

    def compile(self, at: Instant | None = None) -> MaskTable:
        """The fast form, good until the next date on which anything changes; see `MaskTable`."""
        from fpmatch.policy.table import MaskTable

        return MaskTable(self._registry, instant(at), self.digest)

    def matrix(self, at: Instant | None = None, role: str = "") -> Matrix:
        """Who may do what in which partition: every agency, in an ordinary search; see `Matrix`.

        Raises
        ------
        InputError
            If the policy knows no such role, or ``at`` is no instant.
        """
        from fpmatch.policy.matrix import matrix

        return matrix(self._registry, self.compile(at), role)

    def lint(self) -> list[Finding]:
        """What is contradictory, void, out of authority or without a stated ground."""
        from fpmatch.policy.lint import lint

        return lint(self._registry)

    def never_granted(self) -> list[Never]:
        """Agencies and partitions that no facts could ever have searched, why, and who must act.

        Of every time that the policy speaks of. Agencies about which the same is said come
        together; those that only relay are left out.
        """
        from fpmatch.policy.never import never_granted

        return never_granted(self._registry)

    def diff(self, effective: Policy, at: Instant | None = None) -> list[Difference]:
        """Where this policy, as declared, is not what another one does; see `Difference`."""
        from fpmatch.policy.report import diff

        return diff(self._registry, effective._registry, instant(at))

    def coverage(self, at: Instant | None = None) -> dict[str, Coverage]:
        """Per partition: how many sites, counties and states are searched at that time."""
        from fpmatch.policy.report import coverage

        return coverage(self._registry, instant(at))

    def unmet_requests(self, at: Instant | None = None) -> list[OptOutRequest]:
        """Requests to opt out whose agency is searched all the same."""
        from fpmatch.policy.report import unmet_requests

        return unmet_requests(self._registry, instant(at))

    def to_toml(self) -> str:
        """The policy as TOML text that `parse` reads back as an equal policy.

        One that was read from a text keeps it, with its comments and its layout: only what was
        changed since is other. Written anew are texts of more than a million characters.
        """
        text = self._written.with_changes(self._declared) if self._written is not None else None
        if text is not None and self._says_this(text):
            return text
        return write.to_toml(self._declared)

    def _says_this(self, text: str) -> bool:
        """Whether a text reads back as this policy."""
        from fpmatch.policy import read

        try:
            declared, _ = read.read(text, "policy.toml")
        except PolicyFileError:
            return False
        return declared.version == self.version and write.digest(declared) == self.digest

    def with_version(self, version: int) -> Policy:
        """The same policy under another version number."""
        import dataclasses

        return self._with(dataclasses.replace(self._declared, version=version))

    def requests(self, status: OptOutStatus | None = None) -> tuple[OptOutRequest, ...]:
        """Requests to opt out, all or of one status."""
        return tuple(o for o in self._declared.optouts if status is None or o.status is status)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Policy):
            return NotImplemented
        return self.version == other.version and self.digest == other.digest

    def __hash__(self) -> int:
        return hash((self.version, self.digest))

    def __repr__(self) -> str:
        d = self._declared
        return (
            f"<Policy version {self.version} {self.digest[:12]}: {len(d.agencies)} agencies, "
            f"{len(d.partitions)} partitions, {len(self._registry.rules)} rules>"
        )
