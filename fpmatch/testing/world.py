"""Small worlds: policies, records, submissions, always the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

from fpmatch.argument_types import takes
from fpmatch.checks import check_integer, check_text, quoted
from fpmatch.errors import InputError
from fpmatch.finger import FingerPosition
from fpmatch.policy import Policy
from fpmatch.testing.prints import print_of
from fpmatch.types import Ori, Record, SearchRequest

OPEN, OFF, WITHHELD, DEFERRED, SECOND = (f"CA03801{i:02d}" for i in range(5))
"""Agencies of `POLICY`: in the immigration partition the first may see all, the second is switched
off, the third is not shown what is found, the fourth waits for a conviction, the fifth is as the
first. All may see all of the criminal partition."""
UNKNOWN = "ZZ0000000"
"""An agency that no policy here knows."""
PARTITIONS = {"criminal": (1, "DOJ-FBI"), "immigration": (9, "DHS")}
"""Number and owner of the partitions of `POLICY`."""

POLICY = f"""
version = 1
transactions = ["CAR", "CNA"]
purposes = ["C", "F"]
roles = ["officer", "advocate"]
charges = ["felony", "misdemeanor"]
dispositions = ["convicted", "acquitted", "dismissed", "pending"]

[[partition]]
name = "criminal"
ndr = 1
owner = "DOJ-FBI"
requires_activation = false
protected_roles = ["advocate"]

[[partition]]
name = "immigration"
ndr = 9
owner = "DHS"
protected_roles = ["advocate"]

[[jurisdiction]]
id = "CA"
kind = "state"

[[agency]]
ori = "{OPEN}"
parent = "CA"
[[agency]]
ori = "{OFF}"
parent = "CA"
[[agency]]
ori = "{WITHHELD}"
parent = "CA"
[[agency]]
ori = "{DEFERRED}"
parent = "CA"
[[agency]]
ori = "{SECOND}"
parent = "CA"

[[rule]]
id = "criminal-for-all"
effect = "permit"
who = "CA"
partitions = "criminal"
author = "DOJ-FBI"

[[mode]]
mode = "interoperable"
who = "{OPEN}"
partition = "immigration"
author = "DHS"
[[mode]]
mode = "ori_deactivated"
who = "{OFF}"
partition = "immigration"
author = "DHS"
[[mode]]
mode = "results_withheld"
who = "{WITHHELD}"
partition = "immigration"
author = "DHS"
[[mode]]
mode = "deferred_disposition"
who = "{DEFERRED}"
partition = "immigration"
author = "DHS"
expires_days = 30
[[mode]]
mode = "interoperable"
who = "{SECOND}"
partition = "immigration"
author = "DHS"
"""
"""Two partitions, five agencies, one for each thing that a policy can say of immigration."""

OPAQUE = POLICY.replace(
    'owner = "DHS"\nprotected_roles = ["advocate"]', 'owner = "DHS"\nstatus_visibility = "opaque"'
)
"""The same, where the immigration partition does not tell whether it was searched."""

_HEAD = 'version = 1\ntransactions = ["CAR", "CNA"]\npurposes = ["C", "F"]\n'


def under(mode: str, policy: str = POLICY) -> str:
    """`POLICY` with another mode for the agency `OPEN`.

    Parameters
    ----------
    mode : str
        For instance ``ori_deactivated``.
    policy : str
        TOML to change.
    """
    return policy.replace(f'"interoperable"\nwho = "{OPEN}"', f'"{mode}"\nwho = "{OPEN}"')


def open_policy(
    partitions: Mapping[str, tuple[int, str]] | None = None,
    agencies: Iterable[str] = (OPEN, SECOND),
    *,
    searched: Iterable[str] | None = None,
) -> Policy:
    """A policy under which every agency may do everything in every partition.

    Parameters
    ----------
    partitions : mapping of str to (int, str), optional
        Number and owner by name; `PARTITIONS` by default.
    agencies : iterable of str
        ORIs of the agencies.
    searched : iterable of str, optional
        Only these partitions are open; all by default.

    Raises
    ------
    InputError
        If a name, number or ORI cannot be used.
    PolicyFileError
        If the policy of them does not hold, for instance where two partitions share a number.
    """
    given = PARTITIONS if partitions is None else partitions
    if not isinstance(given, Mapping):
        raise InputError(f"partitions must be a dict of number and owner, not {quoted(given)}")
    if isinstance(agencies, str):
        raise InputError("agencies must be a list of ORIs, not one text")
    permitted = set(given if searched is None else searched)
    text = _HEAD
    for name, about in given.items():
        if not isinstance(about, tuple) or len(about) != 2:
            raise InputError(f"partition {quoted(name)} must have a number and an owner")
        number = check_integer("number of a partition", about[0], 0, 2**31 - 1)
        known = _text("partition", name), _text("owner", about[1])
        text += f"[[partition]]\nname = {known[0]}\nndr = {number}\nowner = {known[1]}\n"
        text += "requires_activation = false\nsearches_protected = true\n"
    for ori in agencies:
        text += f'[[agency]]\nori = "{Ori(ori)}"\n'
    for n, (name, (_, owner)) in enumerate(given.items()):
        if name in permitted:
            text += f'[[rule]]\nid = "open-{n}"\neffect = "permit"\nwho = "*"\n'
            text += f"partitions = {_text('partition', name)}\nauthor = {_text('owner', owner)}\n"
    return Policy.parse(text, "the open policy")


def _text(name: str, value: object) -> str:
    """As TOML."""
    text = check_text(name, value, longest=60, empty=False)
    if any(c in text for c in "\"\\'"):
        raise InputError(f"{name} must have no quotes and no backslash: {quoted(text)}")
    return f'"{text}"'


def record(name: str, person: int | str, touch: int = 0, **more: Any) -> Record:
    """A record of one print.

    Parameters
    ----------
    name : str
        The record's id.
    person : int or str
        As for `print_of`.
    touch : int
        As for `print_of`.
    **more
        Further fields of a `Record`.
    """
    return Record(name, [print_of(person, touch)], **more)


_numbers = count(1)


@takes(ori=str)
def request(ori: str = OPEN, person: int | str = 1, touch: int = 5, **more: Any) -> SearchRequest:
    """A submission of one print under a control number of its own.

    Parameters
    ----------
    ori : str
        The booking agency.
    person : int or str
        As for `print_of`.
    touch : int
        As for `print_of`.
    **more
        Further fields of a `SearchRequest`; ``threshold`` is 0 where it is not given.

    Raises
    ------
    InputError
        If a value is of another type or no field of a request.
    """
    more.setdefault("tcn", f"TCN-{next(_numbers)}")
    more.setdefault("fingers", [print_of(person, touch)])
    # All that is found is listed: what is missing is missing for another reason.
    more.setdefault("threshold", 0.0)
    try:
        return SearchRequest(booking_ori=ori, **more)
    except TypeError as error:
        raise InputError(f"no such field of a request: {error}") from None


@takes(persons=int, fingers=int)
def gallery(
    persons: int = 20, fingers: int = 1, *, touch: int = 0, prefix: str = "R"
) -> list[Record]:
    """Records of persons 0, 1, ...: ``R-0000`` is of person 0, so `print_of(0, 1)` is its mate.

    Parameters
    ----------
    persons : int
        Up to 10 000.
    fingers : int
        Of each, from the right thumb on, 1 to 10.
    touch : int
        Of each finger.
    prefix : str
        Of the records' ids.

    Raises
    ------
    InputError
        If a value is out of range.
    """
    many = check_integer("persons", persons, 0, 10_000)
    each = [FingerPosition(i) for i in range(1, check_integer("fingers", fingers, 1, 10) + 1)]
    if len(each) == 1:
        each = [FingerPosition.RIGHT_INDEX]
    check_text("prefix", prefix, longest=32)
    return [
        Record(f"{prefix}-{p:04d}", [print_of(p, touch, position) for position in each])
        for p in range(many)
    ]


def world() -> dict[str, list[Record]]:
    """Persons 1 and 2 in both partitions of `POLICY`, others in one of them."""
    return {
        "criminal": [record(f"C-{i}", i) for i in (1, 2, 3, 4)],
        "immigration": [record(f"I-{i}", i, touch=1) for i in (1, 2, 7, 8)],
    }
