"""The file of a learned extractor: a header that says what it is, the network, a checksum.

Layout: ``FPNET1`` and a newline; the header as one line of JSON, with the length and SHA-256 of
the network; the network in ONNX.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from fpmatch.durable import replacing
from fpmatch.errors import CorruptError

MAGIC = b"FPNET1\n"


@dataclass(frozen=True, slots=True)
class ModelHeader:
    """What a model file says of itself."""

    name: str
    version: int
    trained_on: str
    """Exactly which data the weights have seen, and which were kept out."""
    steps: int
    stride: int
    """Pixels of the image per cell of the output."""
    normalise_sigma: float
    """Window of the input normalisation, pixels at 500 ppi."""
    normalise_floor: float
    """Gray levels added to the local deviation."""
    confidence_slope: float = 1.0
    """Factor of the log-odds that the network states ..."""
    confidence_offset: float = 0.0
    """... and what is added to them, so that the confidence is the probability that a minutia is
    there."""
    normalise_step: int = 1
    """The window is laid over means of so many pixels squared; see `network.normalise`."""
    block: int = 1
    """The network's input has a channel for each pixel of a block of so many squared."""


def write_model(path: Path, header: ModelHeader, network: bytes) -> None:
    """Write to a temporary name, sync, rename.

    Parameters
    ----------
    path : Path
        File to be written.
    header : ModelHeader
        What the file says of itself.
    network : bytes
        The network in ONNX form.
    """
    line = json.dumps(
        {
            **dataclasses.asdict(header),
            "bytes": len(network),
            "sha256": hashlib.sha256(network).hexdigest(),
        },
        sort_keys=True,
    )
    with replacing(path) as file:
        file.write(MAGIC + line.encode() + b"\n" + network)


def read_model(path: Path) -> tuple[ModelHeader, bytes]:
    """Read and check a model file.

    Raises
    ------
    CorruptError
        On a missing, truncated or altered file: nothing of it is run.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorruptError(f"cannot read the model file {path}: {error}") from error
    end = data.find(b"\n", len(MAGIC))
    if not data.startswith(MAGIC) or end < 0:
        raise CorruptError(f"{path} is no model file of fpmatch; reinstall the package")
    network = data[end + 1 :]
    try:
        fields = json.loads(data[len(MAGIC) : end])
        size, digest = int(fields.pop("bytes")), str(fields.pop("sha256"))
        header = ModelHeader(**fields)
    except (ValueError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise CorruptError(f"the header of the model file {path} is damaged: {error}") from error
    if len(network) != size:
        raise CorruptError(f"the model file {path} holds {len(network)} of {size} bytes")
    if hashlib.sha256(network).hexdigest() != digest:
        raise CorruptError(f"the model file {path} does not match its SHA-256; reinstall it")
    return header, network
