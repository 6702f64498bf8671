"""The error tree: one root, leaves that also are the builtin a caller would catch.

::

    FpmatchError
    ├── InputError (ValueError)            what was handed in cannot be used
    │   ├── ImageError                     not a readable image
    │   ├── ResolutionError                resolution missing, absurd or contradictory
    │   ├── TemplateError                  not a valid template
    │   ├── FormatError                    a damaged interchange file (byte position)
    │   ├── PolicyFileError                a policy document is malformed (file, line, fix)
    │   └── ChangedError                   enrolled before from something else
    ├── ExtractionError (ValueError)       a readable image without enough ridge pattern
    ├── PolicyError (PermissionError)      an act outside its author's authority
    │   └── RefusedError                   the one answer to absent, sealed and denied
    ├── StorageError (RuntimeError)        files on disk
    │   ├── CorruptError                   a checksum or format check failed
    │   ├── ReadOnlyError                  a write on something opened read-only
    │   ├── LockedError                    in use by another process
    │   ├── KeysError                      keys of an encrypted gallery are missing or others
    │   └── WriteError (OSError)           the disk is full, or does not let a file be written
    ├── ConflictError (RuntimeError)       asked of another state, or under a key that is used
    ├── AuditError (RuntimeError)          the log cannot be appended to, or does not verify
    ├── SearchCancelled (RuntimeError)     the caller cancelled
    ├── WorkerError (RuntimeError)         a process that reads items ended, or took too long
    ├── ClusterError (RuntimeError)        hosts cannot do what was asked of them
    │   └── HostLost                       no answer of a host will come
    └── MissingExtra (ImportError)         an optional dependency is not installed
"""

from __future__ import annotations

import struct

MALFORMED = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError,
    MemoryError, struct.error,
)  # fmt: skip
"""What taking apart a file may raise that says something else than it should: text that is none,
fields that are missing or of another type, numbers without end, brackets without end."""


class FpmatchError(Exception):
    """Root of every error that fpmatch raises on purpose."""


class InputError(FpmatchError, ValueError):
    """An argument, file or document cannot be used; the message says why and what to do."""


class ImageError(InputError):
    """The bytes are no image that fpmatch reads, or are damaged."""


class ResolutionError(InputError):
    """The resolution is not given and not recorded in the file, or is out of range."""


class TemplateError(InputError):
    """The bytes or arrays are no valid template."""


class FormatError(InputError):
    """A file of an interchange format cannot be read, or a value cannot be written in it.

    Parameters
    ----------
    message : str
    at : int, optional
        Position of the fault in the file, bytes from its start; the message begins with it.
    """

    at: int | None = None

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message if at is None else f"byte {at}: {message}")
        self.at = at


class PolicyFileError(InputError):
    """A policy document is malformed; the message names file, line and fix."""


class ChangedError(InputError):
    """An item of a bulk enrolment was enrolled before, and is another now."""


class ExtractionError(FpmatchError, ValueError):
    """The image was read but holds too little ridge pattern to make a template."""


class PolicyError(FpmatchError, PermissionError):
    """A rule or an administrative act lies outside its author's authority."""


class RefusedError(PolicyError):
    """The uniform refusal: says the same for absent, sealed and denied."""


class StorageError(FpmatchError, RuntimeError):
    """The files of a gallery cannot be used as asked."""


class CorruptError(StorageError):
    """A stored file fails its checksum or format check."""


class ReadOnlyError(StorageError):
    """A write was asked of an engine opened read-only."""


class LockedError(StorageError):
    """Another process uses the files in a way that excludes this one."""


class KeysError(StorageError):
    """The keys of an encrypted gallery are missing, are others, or lie open to others."""


class WriteError(StorageError, OSError):
    """The disk is full, or lets a file not be written; nothing that was acknowledged is lost."""


class ConflictError(FpmatchError, RuntimeError):
    """A record has changed since it was looked at, or a key was used for another act before.

    Nothing is changed by the call that raises it.
    """


class AuditError(FpmatchError, RuntimeError):
    """The audit log cannot be appended to, or does not verify."""


class SearchCancelled(FpmatchError, RuntimeError):
    """The caller cancelled the search; nothing was released."""


class WorkerError(FpmatchError, RuntimeError):
    """A process that reads items for a bulk enrolment ended, hung, or cannot be started."""


class ClusterError(FpmatchError, RuntimeError):
    """Hosts of a cluster cannot do what was asked: too few of them, or they disagree."""


class HostLost(ClusterError):
    """No answer of a host will come; whether it did what was asked is not known."""


class MissingExtra(FpmatchError, ImportError):
    """An optional dependency is missing; the message names the extra to install."""
