"""Who may do what in which partition: the compiled policy, spelt out for people and programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import InputError, MissingExtra
from fpmatch.policy.model import permission_names
from fpmatch.policy.ordinary import ordinary
from fpmatch.policy.registry import Registry
from fpmatch.policy.table import MaskTable

if TYPE_CHECKING:
    import pyarrow as pa

PERMISSION_NAMES = permission_names(~0)
COLUMNS = ("ori", "agency", "partition", *PERMISSION_NAMES, "depends")
_DEPENDS = len(PERMISSION_NAMES)
_TO_WORD = tuple(
    " ".join(n for k, n in enumerate(PERMISSION_NAMES) if bits >> k & 1)
    for bits in range(1 << len(PERMISSION_NAMES))
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One agency and one partition."""

    ori: str
    agency: str
    partition: str
    permissions: str
    """Their names, apart by spaces; "" if there are none."""
    depends: bool
    """Whether a rule on the facts of a search, as its charge, may make it come out otherwise."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Permissions of every agency on every partition, in an ordinary search at one time.

    Agencies that only relay are left out: they submit nothing of their own. The chain is the
    agency and the bureau that the registry names; the role is given, other facts are unknown.

    Attributes
    ----------
    at, valid_until : datetime, datetime or None
        It holds from ``at`` to before ``valid_until``; None is for ever.
    version, digest : int, str
        Of the policy.
    role : str
        The role asked about; "" for none.
    agencies : tuple of (str, str)
        ORI and name of each agency: N.
    partitions : tuple of str
        P names.
    bits : (N, P) uint8
        Bit k is permission k of `Permission`, from ACCEPT on; bit 5 is `Entry.depends`.
    """

    at: datetime
    valid_until: datetime | None
    version: int
    digest: str
    role: str
    agencies: tuple[tuple[str, str], ...]
    partitions: tuple[str, ...]
    bits: NDArray[np.uint8]

    def __len__(self) -> int:
        return int(self.bits.size)

    def __iter__(self) -> Iterator[Entry]:
        for (ori, name), row in zip(self.agencies, self.bits.tolist(), strict=True):
            for partition, bits in zip(self.partitions, row, strict=True):
                words = _TO_WORD[bits & (1 << _DEPENDS) - 1]
                yield Entry(ori, name, partition, words, bool(bits >> _DEPENDS))

    def select(self, ori: str | None = None, partition: str | None = None) -> Matrix:
        """The part of one agency, one partition, or both.

        Raises
        ------
        InputError
            If the matrix has no such agency or partition.
        """
        rows = [i for i, (o, _) in enumerate(self.agencies) if ori in (None, o)]
        columns = [i for i, p in enumerate(self.partitions) if partition in (None, p)]
        if not rows and self.agencies:
            raise InputError(f"no agency {ori!r:.40} that submits in this policy")
        if not columns:
            known = ", ".join(self.partitions)
            raise InputError(f"no partition {partition!r:.40}; known: {known}")
        return Matrix(
            self.at,
            self.valid_until,
            self.version,
            self.digest,
            self.role,
            tuple(self.agencies[i] for i in rows),
            tuple(self.partitions[i] for i in columns),
            self.bits[np.ix_(rows, columns)],
        )

    def to_csv(self) -> str:
        """A line for each agency and partition, columns `COLUMNS`; permissions are 0 or 1."""
        tails = [",".join(str(bits >> k & 1) for k in range(_DEPENDS + 1)) for bits in range(64)]
        middles = [_cells(p) for p in self.partitions]
        out = [",".join(COLUMNS)]
        for (ori, name), row in zip(self.agencies, self.bits.tolist(), strict=True):
            head = _cells(ori, name)
            out += [f"{head},{p},{tails[b]}" for p, b in zip(middles, row, strict=True)]
        return "\n".join(out) + "\n"

    def to_arrow(self) -> pa.Table:
        """The same as an Arrow table: dictionary-encoded text, boolean permissions.

        Raises
        ------
        MissingExtra
            If pyarrow is not installed.
        """
        try:
            import pyarrow as pa
        except ImportError as error:
            raise MissingExtra("Arrow needs pyarrow: pip install 'fpmatch[arrow]'") from error
        agencies, partitions = np.indices(self.bits.shape, dtype=np.int32)
        texts = (
            (agencies, [ori for ori, _ in self.agencies]),
            (agencies, [name for _, name in self.agencies]),
            (partitions, list(self.partitions)),
        )
        columns = [
            pa.DictionaryArray.from_arrays(pa.array(i.ravel()), pa.array(words, pa.string()))
            for i, words in texts
        ]
        flat = self.bits.ravel()
        columns += [pa.array((flat >> k & 1).astype(bool)) for k in range(_DEPENDS + 1)]
        about = {
            "policy_version": str(self.version),
            "policy_digest": self.digest,
            "at": self.at.isoformat(),
            "role": self.role,
        }
        return pa.table(columns, names=list(COLUMNS)).replace_schema_metadata(about)


def matrix(registry: Registry, table: MaskTable, role: str = "") -> Matrix:
    """Ask the compiled policy about every agency. Cost: some microseconds an agency.

    Parameters
    ----------
    registry : Registry
    table : MaskTable
        Compiled from the same registry.
    role : str
        The role of the one who searches; "" for none.

    Raises
    ------
    InputError
        If the policy knows no such role.
    """
    if role and role not in registry.declared.roles:
        known = ", ".join(registry.declared.roles) or "none"
        raise InputError(f"no role {role!r:.40}; known: {known}")
    agencies = [a for a in registry.declared.agencies if not a.relay]
    masks = np.zeros((len(agencies), _DEPENDS + 1), np.uint64)
    for i, agency in enumerate(agencies):
        facts = ordinary(registry, agency.ori, role=role)
        m = table.masks(facts)
        masks[i] = (m.accept, m.probe, m.view, m.notify, m.retain, table.depends(facts.chain))
    bits = np.zeros((len(agencies), len(table.partitions)), np.uint8)
    for p in range(len(table.partitions)):
        for k in range(_DEPENDS + 1):
            bits[:, p] |= ((masks[:, k] >> np.uint64(p) & np.uint64(1)) << np.uint64(k)).astype(
                np.uint8
            )
    return Matrix(
        table.at,
        table.valid_until,
        table.version,
        table.digest,
        role,
        tuple((a.ori, a.name) for a in agencies),
        table.partitions,
        bits,
    )


def _cells(*values: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
