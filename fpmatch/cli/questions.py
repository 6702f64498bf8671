"""The questions of ``fpmatch policy new``: what options leave open is asked on a terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import typer

from fpmatch.checks import quoted
from fpmatch.errors import InputError
from fpmatch.policy.presets import MODES
from fpmatch.policy.starter import NOTHING, Answers

CHOICES = (NOTHING, *(m for m in MODES if m != "no_federal_submission"))
"""What the owner of a partition can grant a jurisdiction in a first policy."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line said; empty or None where it said nothing.

    Parameters
    ----------
    partitions : tuple of str
        Each NAME:NUMBER:OWNER.
    jurisdiction : str or None
        ID or ID:NAME.
    agencies : tuple of str
        Each ORI, ORI:NAME or ORI:NAME:KIND.
    bureau : str or None
        ORI.
    transactions : tuple of str
        Types.
    modes : tuple of str
        Each PARTITION=MODE.
    """

    partitions: tuple[str, ...]
    jurisdiction: str | None
    agencies: tuple[str, ...]
    bureau: str | None
    transactions: tuple[str, ...]
    modes: tuple[str, ...]


def answers(given: Given) -> Answers:
    """What a first policy is made from; asks where a person looks on.

    Raises
    ------
    InputError
        If something is missing that nobody can be asked for, or cannot be read.
    """
    asking = sys.stdin.isatty() and sys.stderr.isatty()
    partitions = [_partition(t) for t in given.partitions]
    if not partitions:
        _wanted(asking, "--partition NAME:NUMBER:OWNER")
        partitions = [
            _partition(text)
            for text in _several("Partition, as criminal:1:DOJ-FBI (empty when done)")
        ]
    jurisdiction = given.jurisdiction
    if not jurisdiction:
        _wanted(asking, "--jurisdiction ID")
        jurisdiction = typer.prompt("State or county, as CS:Cascadia", err=True)
    agencies = [_agency(text) for text in given.agencies]
    if not agencies:
        _wanted(asking, "--agency ORI")
        told = _several("Agency, as CS0010100:County jail:jail (empty when done)")
        agencies = [_agency(text) for text in told]
    bureau = given.bureau
    if bureau is None and asking:
        bureau = typer.prompt("ORI of the state's bureau, if any", default="", err=True)
    transactions = given.transactions
    if not transactions and asking:
        said = typer.prompt("Types of transaction", default="CAR", err=True)
        transactions = tuple(t.strip() for t in said.split(",") if t.strip())
    modes = _modes(given.modes, [name for name, _, _ in partitions])
    if not modes and asking:
        for name, _, _ in partitions:
            said = typer.prompt(
                f"What do agencies get in {name}? ({', '.join(CHOICES)})", NOTHING, err=True
            )
            modes |= _modes((f"{name}={said}",), [name])
    id, _, title = jurisdiction.partition(":")
    return Answers(
        tuple(partitions),
        (id, title),
        tuple(agencies),
        bureau or "",
        transactions or ("CAR",),
        modes,
    )


def _wanted(asking: bool, option: str) -> None:
    if not asking:
        raise InputError(f"a first policy needs {option}; on a terminal it is asked for")


def _several(question: str) -> list[str]:
    out: list[str] = []
    while True:
        said = typer.prompt(question, default="", show_default=False, err=True).strip()
        if said:
            out.append(said)
        elif out:
            return out


def _partition(text: str) -> tuple[str, int, str]:
    name, _, rest = text.partition(":")
    number, _, owner = rest.partition(":")
    if not name or not number.isdecimal() or not owner:
        raise InputError(f"partition {quoted(text)} must read NAME:NUMBER:OWNER")
    return name, int(number), owner


def _agency(text: str) -> tuple[str, str, str]:
    ori, _, rest = text.partition(":")
    name, _, kind = rest.partition(":")
    return ori, name, kind


def _modes(options: tuple[str, ...], known: list[str]) -> dict[str, str]:
    out = {}
    for option in options:
        name, sign, mode = option.partition("=")
        if not sign or name not in known or mode not in CHOICES:
            raise InputError(
                f"--mode {quoted(option)} must read PARTITION=MODE, with one of the partitions "
                f"({', '.join(known)}) and one of {', '.join(CHOICES)}"
            )
        out[name] = mode
    return out
