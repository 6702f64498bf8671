"""An engine as a whole: opened, set up, given its policy, closed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from fpmatch.audit import AuditLog, Kind
from fpmatch.audit.log import now
from fpmatch.checks import (
    check_choice,
    check_integer,
    check_number,
    path_of,
    quoted,
)
from fpmatch.database import Durability
from fpmatch.encryption import KeySource
from fpmatch.errors import InputError, LockedError, PolicyError, StorageError
from fpmatch.gallery.partition_names import check_partition
from fpmatch.locking import FolderLock
from fpmatch.monitoring import OK, Monitor
from fpmatch.parameters import SEARCH
from fpmatch.policy import Policy
from fpmatch.search import follow, hold, opening, opting_out, pending, recovery
from fpmatch.search.calls import Calls
from fpmatch.search.crash_points import crash_point
from fpmatch.search.limits import Limits
from fpmatch.search.once import Turn, check_key, turn
from fpmatch.search.options import durability_of, routes_of
from fpmatch.search.shards import Shards
from fpmatch.search.state import State, Vault
from fpmatch.types import PartitionInfo

Mode = Literal["r", "rw"]


class Administration:
    """A gallery folder, its policy and its log, opened together; base of `Engine`."""

    def __init__(self, state: State, lock: FolderLock, calls: Calls) -> None:
        """Hold what `open` has opened.

        Parameters
        ----------
        state : State
            What the parts share.
        lock : FolderLock
            Held until it is closed.
        calls : Calls
            Of this engine.
        """
        self._opened: State | None = state
        self._calls = calls
        self._lock = lock
        self._process = os.getpid()

    @property
    def _state(self) -> State:
        """What the parts share.

        Raises
        ------
        StorageError
            If this engine is closed, was opened by another process, or no longer the writer.
        """
        if self._opened is None:
            raise StorageError("this engine is closed; open the gallery again")
        if os.getpid() != self._process:
            raise StorageError(
                f"this engine was opened by process {self._process}: a forked process has to open "
                "the gallery itself"
            )
        if self._opened.gallery.superseded:
            raise LockedError("another process has taken over writing this gallery; open it again")
        follow.follow(self._opened)
        return self._opened

    @classmethod
    def create(cls, path: str | Path, **options: Any) -> Self:
        """Make an empty gallery folder and open it for writing.

        Parameters
        ----------
        path : path
            A folder that does not exist yet, or is empty. ``.fpm`` is the customary suffix.
        **options
            As for `open`.

        Raises
        ------
        StorageError
            If there is something at the path.
        """
        durability = durability_of(options.get("durability", "full"))
        opening.make(path_of(path), durability, options.get("keys"))
        return cls.open(path, "rw", **options)

    @classmethod
    def open(
        cls,
        path: str | Path,
        mode: Mode = "r",
        *,
        clock: Callable[[], datetime] = now,
        threads: int = 1,
        durability: Durability = "full",
        hit_score: float = SEARCH.hit_score,
        withheld_ms: float = 0.0,
        routes: Mapping[str, Mapping[str, str]] | None = None,
        vault: Vault | None = None,
        actor: str = "",
        wait: float = 0.0,
        limits: Limits = Limits(),  # noqa: B008  # frozen
        monitor: Monitor | None = None,
        shards: Shards | None = None,
        keys: KeySource | None = None,
        apart: str | Path | None = None,
    ) -> Self:
        """Open a gallery folder.

        Parameters
        ----------
        path : str or Path
            Of the gallery folder.
        mode : {"r", "rw"}
            "r" leaves records, policies and indexes as they are; searches work and are logged. Any
            number of processes may, also while one has it open with "rw": each call sees all that
            was committed before it.
        clock : callable
            Gives the current time, with a time zone. Decisions are made at it.
        threads : int
            Threads of one search. Results do not depend on it.
        durability : {"full", "off"}
            "off" leaves syncing to the system: for tests and measurements.
        hit_score : float
            Score from which a partition's owner is told of a candidate.
        withheld_ms : float
            An answer that hides something, what was found in a withheld partition or whether an
            opaque one was searched, leaves so long after the call, or at the next multiple where
            it takes longer; failures too. Set it above the longest search, and the clock tells
            nothing. A list of `search_many` has that time once for each submission that meets an
            opaque partition.
        routes : mapping of partition to {ORI or jurisdiction: office}
            Where notifications go; the nearest ancestor's route counts, ``*`` is the last resort.
        vault : Vault, optional
            Encrypts owners' envelopes and kept probes; without one, envelopes stay in memory.
        actor : str
            Who works with this engine; goes into the log's records of reads.
        wait : float
            With mode "rw": how long to wait while another process has it open for writing, seconds.
        limits : Limits
            How much one call may ask: records, submissions, fingers, bytes.
        monitor : callable, optional
            Is told of each call when it has ended (`fpmatch.monitoring`), as the logger is.
        shards : Cluster, optional
            Hosts that hold the fingers and search them (`fpmatch.cluster`); brought level with the
            gallery, and not closed with the engine.
        keys : path, str, mapping or callable, optional
            The caller's keys of an encrypted gallery, the current one last (`docs/encryption.md`).
        apart : str or Path, optional
            Folder of log and ledger where the gallery cannot be written (mode "r", no writer).

        Raises
        ------
        StorageError
            If the folder is no gallery, or with "rw" is open for writing elsewhere.
        KeysError
            If it is encrypted, and its keys are not given or cannot be had.
        CorruptError
            If a file is damaged and cannot be rebuilt.
        InputError
            If an option cannot be used.
        """
        opening.check(clock, monitor, limits, shards)
        calls, started = Calls(monitor), time.monotonic()
        state, lock = opening.open_state(
            path_of(path),
            check_choice("mode", mode, ("r", "rw")),
            clock=clock,
            threads=check_integer("threads", threads, 1, 1024),
            durability=durability_of(durability),
            hit_score=check_number("hit_score", hit_score, -1e6, 1e6),
            withheld_ms=withheld_ms,
            routes=routes_of(routes),
            vault=vault,
            actor=actor,
            wait=check_number("wait", wait, 0, 1e6),
            limits=limits,
            shards=shards,
            keys=keys,
            aside=None if apart is None else path_of(apart),
        )
        calls.ended("open", OK, time.monotonic() - started, {"mode": state.mode})
        return cls(state, lock, calls)

    # -- set-up --------------------------------------------------------------------------------

    def add_partition(
        self, name: str, ndr: int, owner: str, *, expected_fingers: int = 100_000
    ) -> None:
        """Add an empty partition.

        Parameters
        ----------
        name : str
            Its name.
        ndr : int
            Its repository number (EBTS 2.098).
        owner : str
            Who owns it, as the policy names it.
        expected_fingers : int
            Order of magnitude to come; fixes the structure of its index.

        Raises
        ------
        InputError
            If a value cannot be stored and read again, name or number are taken, or the policy in
            force says something else of a partition of that name or number.
        """
        state = self._state
        state.writable()
        pending.catch_up(state)
        info = PartitionInfo(name, ndr, owner)
        check_partition(info, expected_fingers)
        if state.policy is not None:
            opening.check_partitions((info,), state.policy)
        journal = state.gallery.add_partition(info, expected_fingers)
        state.unlogged = True
        state.behind.add(name)  # until it has an index
        crash_point("partition.committed")
        with state.partition_lock(name).writing():
            recovery.relevel(state, name)
        crash_point("partition.indexed")
        state.log(journal)
        crash_point("partition.logged")

    @property
    def partitions(self) -> tuple[PartitionInfo, ...]:
        """The partitions of this gallery."""
        return self._state.gallery.partitions

    def publish(self, policy: Policy, *, key: str = "") -> int:
        """Put a policy in force from the next decision on; its version.

        Searches under way are judged by it at their release.

        Parameters
        ----------
        policy : Policy
        key : str
            A name of the caller's for this act, up to 255 characters: the same policy under it
            again changes nothing and gives the first answer, for 30 days. Empty: no such name.

        Raises
        ------
        InputError
            If it is no policy, names another owner, number or name for one of the gallery's
            partitions, or calls another opt-out by the name of one that is on record.
        PolicyError
            If a rule lies outside its author's authority.
        ConflictError
            If the key was used for something else.
        """
        state = self._state
        state.writable()
        if not isinstance(policy, Policy):
            raise InputError(f"publish takes a Policy, not {quoted(policy)}")
        check_key(key)
        with turn(state, key, ["publish", policy.digest]) as act:
            if act.answer is None:
                return self._publish(policy, act)
            state.log()
            opting_out.take_over(state)
            return int(act.answer.fields["version"])

    def _publish(self, policy: Policy, act: Turn) -> int:
        state = self._state
        problems = policy.authority_problems()
        if problems:
            state.audit.event(Kind.AUTH_FAILED, {"what": "publish", "policy_digest": policy.digest})
            raise PolicyError(problems[0][1])
        opting_out.check_declared(state, policy)
        opening.check_partitions(state.gallery.partitions, policy)
        pending.catch_up(state)
        with state.lock:
            found = state.gallery.policy()
            version = max(policy.version, (found[0] if found else 0) + 1)
            numbered = policy.with_version(version)
            content = numbered.to_toml()
            try:
                journal = state.gallery.publish(
                    numbered.digest, content, version, state.clock(), act.once
                )
                state.unlogged = True
                crash_point("publish.committed")
                state.policy = numbered
            except BaseException:
                # Whatever cut this off: what is committed is in force, and nothing else is.
                state.unlogged = True
                state.policy = follow.newest(state)
                raise
            state.log(journal)
            crash_point("publish.logged")
            opting_out.take_over(state)
        hold.warn(state)
        return version

    @property
    def policy(self) -> Policy | None:
        """The policy in force, or None if none was ever published."""
        return self._state.policy

    # -- the log and the end -------------------------------------------------------------------

    @property
    def audit(self) -> AuditLog:
        """The audit log."""
        return self._state.audit

    def close(self, *, wait: float = 0.0) -> None:
        """Let calls end, write what is in memory and let go of all files.

        No new call is taken. Calls that run in other threads have so long to end; then searches
        are cancelled (`SearchCancelled`) and enrolments stop after the batch that they are at
        (`StorageError`, with a note of what is enrolled), for which they have ten seconds. Files
        are let go of in any case, also where one of them fails: a call that runs then still ends
        in an error, and the next opening finishes what it left.

        Closing again does nothing, nor does closing in a forked process: the files are the
        parent's.

        Parameters
        ----------
        wait : float
            Seconds before calls that run are cancelled.

        Raises
        ------
        InputError
            If that is no time.
        """
        check_number("wait", wait, 0, 1e6)
        if self._opened is None or os.getpid() != self._process:
            return
        calls, started = self._calls, time.monotonic()
        calls.refuse()
        cancelled = calls.wait(wait)
        if cancelled:
            self._opened.ending.set()
        left = calls.wait(SEARCH.close_seconds) if cancelled else 0
        state, self._opened = self._opened, None
        if state is None:
            return
        fields = {"cancelled": cancelled, "left": left}
        try:
            self._let_go(state)
        except BaseException as error:
            calls.ended("close", type(error).__name__, time.monotonic() - started, fields)
            raise
        calls.ended("close", OK, time.monotonic() - started, fields)

    def _let_go(self, state: State) -> None:
        with ExitStack() as last_first:
            last_first.callback(self._lock.close)
            last_first.callback(state.living.close)
            last_first.callback(state.gallery.close)
            if state.shards is not None:
                last_first.callback(state.shards.detach, state.gallery)
            last_first.callback(state.ledger.close)
            last_first.callback(state.audit.close)
            last_first.callback(state.indexes.clear)
            for index in state.indexes.values():
                last_first.callback(index.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = self._opened
        if state is None:
            return "<Engine, closed>"
        return f"<Engine {state.folder.name!r} mode {state.mode!r}>"
