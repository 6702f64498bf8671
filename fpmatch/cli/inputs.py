"""What commands read: fingers from image or template files, positions, key=value options."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fpmatch.checks import quoted
from fpmatch.errors import InputError
from fpmatch.finger import parse_position as parse_position
from fpmatch.parameters import EXTRACTOR_NAMES
from fpmatch.types import FingerPosition, Impression

if TYPE_CHECKING:
    from fpmatch.template import Template


def of(*words: str) -> Callable[[str], list[str]]:
    """The values that a shell completes for an option."""

    def begun(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return begun


Ppi = Annotated[
    float | None,
    typer.Option(help="Resolution of the images, pixels per inch, where the file does not say."),
]
TrustPpi = Annotated[
    bool,
    typer.Option("--trust-ppi", help="Believe what a file states where its ridges contradict it."),
]
EstimatePpi = Annotated[
    bool,
    typer.Option(
        "--estimate-ppi",
        help="Estimate the resolution from the ridges where no file says it; up to a third off.",
    ),
]
Position = Annotated[
    str,
    typer.Option(
        metavar="FINGER",
        help="Finger position: 0 to 10 or a name like right-index.",
        autocompletion=of(*(p.name.lower().replace("_", "-") for p in FingerPosition)),
    ),
]
Extractor = Annotated[
    str | None,
    typer.Option(
        help="neural, neural-large or classical; the default is neural.",
        autocompletion=of(*EXTRACTOR_NAMES),
    ),
]
Isolated = Annotated[
    bool,
    typer.Option(
        "--isolated", help="Decode pictures in a process of its own, which bad ones may kill."
    ),
]
Positions = Annotated[
    str,
    typer.Option(
        help="labelled: only fingers of the same position; any: all, slower.",
        autocompletion=of("labelled", "any"),
    ),
]
Rotation = Annotated[
    str,
    typer.Option(
        help="upright: up to a quarter turn; any: every angle, slower.",
        autocompletion=of("upright", "any"),
    ),
]
Scale = Annotated[
    str,
    typer.Option(
        help="stated: the resolutions are right; any: up to a fifth off, slower.",
        autocompletion=of("stated", "any"),
    ),
]


def load_template(
    path: str | Path,
    *,
    ppi: float | None = None,
    position: FingerPosition = FingerPosition.UNKNOWN,
    impression: Impression = Impression.UNKNOWN,
    extractor: str | None = None,
    trust_ppi: bool = False,
    estimate: bool = False,
    isolated: bool = False,
) -> Template:
    """Read a template of any format (see `fpmatch.formats`), or extract one from an image.

    A file that names its finger keeps the position that it holds. Of a container of pictures the
    one picture is extracted.

    Parameters
    ----------
    path : path
        An image or a template.
    ppi : float, optional
        Pixels per inch, where the file does not say.
    position : FingerPosition
        Which finger, where the file does not say.
    impression : Impression
        How it was taken, where the file does not say.
    extractor : str, optional
        Name of the extractor; the default one if not given.
    isolated : bool
        Decode pictures in a process of its own.
    trust_ppi, estimate : bool
        See `fpmatch.image.read_image`.
    """
    from fpmatch.formats import recognise
    from fpmatch.image import read_image
    from fpmatch.template import extract

    source = read_once(path)
    if recognise(source) is not None:
        found = _contained(source, path, ppi, extractor, trust_ppi, isolated)
        named = found.position is not FingerPosition.UNKNOWN
        return found if named else replace(found, position=position)
    image = read_image(source, ppi=ppi, trust_ppi=trust_ppi, estimate=estimate, isolated=isolated)
    return extract(image, position=position, impression=impression, extractor=extractor)


def read_once(path: str | Path) -> str | bytes:
    """What can be read twice: a path, or the bytes of a pipe, which gives them once.

    Parameters
    ----------
    path : path
        Of a file, a pipe or a device as `/dev/stdin`.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    from fpmatch.formats.source import read_bytes

    return str(path) if os.path.isfile(path) else read_bytes(path)


def _contained(
    source: str | bytes,
    path: str | Path,
    ppi: float | None,
    extractor: str | None,
    trust_ppi: bool,
    isolated: bool,
) -> Template:
    from fpmatch.formats import pictures_of, read, templates_of
    from fpmatch.template import extract

    content = read(source)
    templates = templates_of(content, ppi=ppi)
    pictures = [] if templates else pictures_of(content)
    if len(templates) + len(pictures) != 1:
        raise InputError(
            f"{path} holds {len(templates) or len(pictures)} impressions; one is wanted here "
            "(fpmatch convert --view takes one out of minutiae records)"
        )
    if templates:
        return templates[0]
    shown = pictures[0]
    if shown.slap:
        raise InputError(
            f"{path} shows several fingers (position {shown.slap}), and is no single finger: "
            "fpmatch segment cuts it into them"
        )
    if shown.finger is None:
        raise InputError(f"{path} shows no single finger (position {shown.positions[0]})")
    return extract(
        shown.read(ppi=ppi, trust_ppi=trust_ppi, isolated=isolated),
        position=shown.finger,
        impression=shown.impression_type,
        extractor=extractor,
    )


def parse_protected(text: str) -> bool | None:
    """Read a protection flag: yes, no, or unknown as None.

    Raises
    ------
    InputError
        If it is none of them.
    """
    known = {"yes": True, "no": False, "unknown": None}
    if text not in known:
        raise InputError(f"--protected {quoted(text)} must be yes, no or unknown")
    return known[text]


def parse_pairs(options: Sequence[str], name: str) -> dict[str, str]:
    """Read repeated ``key=value`` options.

    Raises
    ------
    InputError
        If one of them has no key or no equals sign.
    """
    out = {}
    for option in options:
        key, sign, value = option.partition("=")
        if not sign or not key:
            raise InputError(f"{name} {quoted(option)} must read key=value")
        out[key] = value
    return out


def split_list(options: Sequence[str]) -> tuple[str, ...]:
    """Values of a repeatable option that may also hold commas."""
    return tuple(v.strip() for option in options for v in option.split(",") if v.strip())
