"""What a CBEFF file of biometric information records holds: ISO/IEC 19785-3, XML patron format."""

from __future__ import annotations

from dataclasses import dataclass, field

from fpmatch.formats.values import Deviation

NAMESPACE = "http://standards.iso.org/iso-iec/19785/-3/ed-2/"
NAME = "cbeff"
FINGER = "Finger"


@dataclass(frozen=True, slots=True)
class RegistryId:
    """An entry of a registry: of formats, products or algorithms.

    Parameters
    ----------
    organization, type : str
        Whose registry, and what in it.
    """

    organization: str
    type: str


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of a biometric data block.

    Parameters
    ----------
    algorithm : RegistryId or None
        What computed it.
    score : int or None
        0 (worst) to 100.
    failed : str
        Why there is none; "" where there is.
    """

    algorithm: RegistryId | None = None
    score: int | None = None
    failed: str = ""


@dataclass(frozen=True, slots=True)
class BirInfo:
    """What is said of a record as a whole.

    Parameters
    ----------
    creator, index : str
    payload : bytes
    integrity : bool or None
        Whether a security block guards it.
    created, not_before, not_after : str
        Dates (ISO 8601) as they stand.
    """

    creator: str = ""
    index: str = ""
    payload: bytes = field(default=b"", repr=False)
    integrity: bool | None = False
    created: str = ""
    not_before: str = ""
    not_after: str = ""


@dataclass(frozen=True, slots=True)
class BdbInfo:
    """What is said of a biometric data block.

    Parameters
    ----------
    challenge : bytes
    index : str
    format : RegistryId or None
        Of the block; it is told by the block's content and kept here.
    encrypted : bool or None
    created, not_before, not_after : str
        Dates (ISO 8601) as they stand.
    types, subtypes : tuple of str
        Modalities, and which finger or eye: ``("Right", "IndexFinger")``.
    level, purpose : str
        ``Raw``, ``Intermediate`` or ``Processed``; ``Enroll``, ``Verify`` and so on.
    product, device, extraction, comparison, compression : RegistryId or None
    quality : Quality or None
    """

    challenge: bytes = field(default=b"", repr=False)
    index: str = ""
    format: RegistryId | None = None
    encrypted: bool | None = None
    created: str = ""
    not_before: str = ""
    not_after: str = ""
    types: tuple[str, ...] = ()
    subtypes: tuple[str, ...] = ()
    level: str = ""
    product: RegistryId | None = None
    device: RegistryId | None = None
    extraction: RegistryId | None = None
    comparison: RegistryId | None = None
    compression: RegistryId | None = None
    purpose: str = ""
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class Bir:
    """A biometric information record: a block of data, or records in it, or both.

    Parameters
    ----------
    data : bytes
        The biometric data block; empty where there is none.
    version, cbeff_version : (int, int) or None
        Major and minor, of the patron format and of CBEFF.
    info : BirInfo
    about : BdbInfo or None
        On the block.
    security_format : RegistryId or None
    security : bytes
        The security block; neither checked nor made.
    others : tuple of (str, str)
        Further facts by name, as MOSIP adds them.
    records : tuple of Bir
        The records in this one.
    at : int
        Bytes from the start of the file; no part of equality.
    """

    data: bytes = field(default=b"", repr=False)
    version: tuple[int, int] | None = None
    cbeff_version: tuple[int, int] | None = None
    info: BirInfo = field(default_factory=BirInfo)
    about: BdbInfo | None = None
    security_format: RegistryId | None = None
    security: bytes = field(default=b"", repr=False)
    others: tuple[tuple[str, str], ...] = ()
    records: tuple[Bir, ...] = ()
    at: int = field(default=0, compare=False)

    def each(self) -> tuple[Bir, ...]:
        """This record and all in it, in the order of the file."""
        found = [self]
        for record in self.records:
            found += record.each()
        return tuple(found)


@dataclass(frozen=True, slots=True)
class BiometricRecord:
    """A CBEFF file.

    Parameters
    ----------
    bir : Bir
        The outermost record.
    deviations : tuple of Deviation
        What reading leniently passed over; no part of equality.
    """

    bir: Bir
    deviations: tuple[Deviation, ...] = field(default=(), compare=False)

    @property
    def format(self) -> str:
        """``cbeff``."""
        return NAME

    @property
    def blocks(self) -> tuple[Bir, ...]:
        """The records that hold or describe a data block, in the order of the file."""
        return tuple(r for r in self.bir.each() if r.data or r.about is not None)
