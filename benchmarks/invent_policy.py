"""An invented policy of any size, for measuring: agencies in counties in fifty states."""

from __future__ import annotations

import random

STATES = 50
COUNTIES = 60
OWNERS = 4


def invent(agencies: int, partitions: int, seed: int = 1) -> tuple[str, str]:
    """TOML text and the CSV text of its ``registry = "agencies.csv"``.

    Every tenth agency has opted out of one partition, every third county forbids one, half of
    those unless the charge is a felony; half of the partitions require activation, which every
    state has.
    """
    rng = random.Random(seed)
    owners = [f"O{i % OWNERS}" for i in range(partitions)]
    parts = ['registry = "agencies.csv"\ntransactions = ["CAR"]\nroles = ["officer"]']
    for i in range(partitions):
        activation = "true" if i % 2 else "false"
        parts.append(
            f'[[partition]]\nname = "p{i}"\nndr = {i + 1}\nowner = "{owners[i]}"\n'
            f"requires_activation = {activation}"
        )
        parts.append(
            f'[[rule]]\nid = "r{i}"\neffect = "permit"\nwho = "*"\npartitions = "p{i}"\n'
            f'author = "{owners[i]}"'
        )
    for s in range(STATES):
        parts.append(_state(_code(s), owners))
    for n in range(0, STATES * COUNTIES, 3):
        county = f"{_code(n % STATES)}-{n // STATES}"
        unless = '\nunless = { charge = ["felony"] }' if n % 2 else ""
        parts.append(
            f'[[rule]]\nid = "c{n}"\neffect = "forbid"\nwho = "{county}"\n'
            f'partitions = "p{rng.randrange(partitions)}"\nauthor = "{county}"{unless}'
        )
    rows = ["ori,name,kind,parent"]
    for i in range(agencies - STATES):
        code = _code(i % STATES)
        ori = f"{code}{i:07d}"
        rows.append(f"{ori},Agency {i},police,{code}-{i // STATES % COUNTIES}")
        if not i % 10:
            parts.append(
                f'[[activation]]\nwho = "{ori}"\npartition = "p{rng.randrange(partitions)}"\n'
                f'state = "deactivated"\nauthor = "{ori}"'
            )
    return "\n".join(parts) + "\n", "\n".join(rows) + "\n"


def _code(number: int) -> str:
    return chr(65 + number // 26) + chr(65 + number % 26)


def _state(code: str, owners: list[str]) -> str:
    parts = [
        f'[[jurisdiction]]\nid = "{code}"\nkind = "state"\nvia = "{code}SIR0000"',
        f'[[agency]]\nori = "{code}SIR0000"\nkind = "sib"\nparent = "{code}"',
    ]
    parts += [f'[[jurisdiction]]\nid = "{code}-{c}"\nparent = "{code}"' for c in range(COUNTIES)]
    parts += [
        f'[[activation]]\nwho = "{code}"\npartition = "p{i}"\nauthor = "{owner}"'
        for i, owner in enumerate(owners)
        if i % 2
    ]
    return "\n".join(parts)
