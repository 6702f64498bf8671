"""A first policy as text, with comments that say what each part is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fpmatch.policy.write import value

NOTHING = "none"
"""Instead of a mode: no agency may search the partition until its owner permits it."""

_HEAD = """\
# Who may search what, who sees it, who is told. Nothing is allowed that no rule allows.
# Check it:       fpmatch policy check FILE
# See it:         fpmatch policy matrix FILE
# Ask it:         fpmatch explain FILE --ori ORI --partition NAME
# Put in force:   fpmatch policy publish GALLERY FILE
# All keys are explained in docs/policy.md.
"""

_EXPLAINED = {
    "interoperable": "searched; the submitter sees the result, the owner is told of a hit",
    "results_withheld": "searched; the owner is told of a hit, the submitter sees no result",
    "ori_deactivated": "switched off: not searched",
    "conditional_charge": "searched where the charge is one of those listed",
    "deferred_disposition": "searched once the person is convicted; until then the search waits",
    "not_activated": "not searched until somebody activates it",
}
"""What a mode does, in a comment above it."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a first policy is made from.

    Parameters
    ----------
    partitions : tuple of (str, int, str)
        Name, repository number and owner of each.
    jurisdiction : (str, str)
        Its id and name; the agencies lie in it.
    agencies : tuple of (str, str, str)
        ORI, name and kind of each.
    bureau : str
        ORI of the state's bureau that federal submissions pass; "" for none.
    transactions : tuple of str
        Types of transaction that are accepted.
    modes : mapping of str to str
        By partition: a mode that its owner sets for the jurisdiction, or `NOTHING`.
    """

    partitions: tuple[tuple[str, int, str], ...]
    jurisdiction: tuple[str, str]
    agencies: tuple[tuple[str, str, str], ...]
    bureau: str = ""
    transactions: tuple[str, ...] = ("CAR",)
    modes: Mapping[str, str] = field(default_factory=dict)


def starter(answers: Answers) -> str:
    """The text of a first policy; `Policy.parse` says what is wrong with the answers."""
    parts = [
        _HEAD,
        "# Types of transaction that are accepted (EBTS 1.004); all others are refused.\n"
        f"transactions = {value(answers.transactions)}\n",
        "# Words that conditions may use. What is not listed is unknown, and unknown denies.\n"
        'charges = ["felony", "misdemeanor", "infraction", "traffic"]\n',
        *_partitions(answers),
        *_tree(answers),
        *_rules(answers),
        _ENDING,
    ]
    return "\n".join(parts)


def _partitions(answers: Answers) -> list[str]:
    about = (
        "# The galleries. Each has one owner, and only its owner, or an agreement with it, can\n"
    )
    about += "# permit a search; anybody concerned can narrow.\n"
    out = []
    for name, number, owner in answers.partitions:
        out.append(
            f"{about}[[partition]]\nname = {value(name)}\nndr = {number}"
            f"                # EBTS 2.098 repository number\nowner = {value(owner)}\n"
            "requires_activation = true      # no agency is searched without a setting\n"
            "searches_protected = false      # protected persons are not searched\n"
        )
        about = ""
    return out


def _tree(answers: Answers) -> list[str]:
    id, name = answers.jurisdiction
    top = "# Who lies in what. A rule for a node covers all below it.\n"
    top += f"[[jurisdiction]]\nid = {value(id)}\n"
    top += f"name = {value(name)}\n" if name else ""
    top += 'kind = "state"\n'
    if answers.bureau:
        top += (
            f"via = {value(answers.bureau)}               # federal submissions have to pass it\n"
        )
    out = [top]
    about = "# Registered agencies. A submission that passed any other is refused.\n"
    for ori, title, kind in answers.agencies:
        text = f"{about}[[agency]]\nori = {value(ori)}\n"
        text += f"name = {value(title)}\n" if title else ""
        out.append(text + f"kind = {value(kind or 'police')}\nparent = {value(id)}\n")
        about = ""
    if answers.bureau and answers.bureau not in {ori for ori, _, _ in answers.agencies}:
        out.append(
            "# The bureau relays what others took; it needs no setting of its own.\n"
            f'[[agency]]\nori = {value(answers.bureau)}\nkind = "sib"\nparent = {value(id)}\n'
        )
    return out


def _rules(answers: Answers) -> list[str]:
    id, _ = answers.jurisdiction
    out = []
    for name, _, owner in answers.partitions:
        mode = answers.modes.get(name, NOTHING)
        if mode == NOTHING:
            out.append(
                f"# {name}: nobody may search it yet. Its owner permits it so:\n"
                f'# [[mode]]\n# mode = "interoperable"\n# who = {value(id)}\n'
                f"# partition = {value(name)}\n# author = {value(owner)}\n"
            )
            continue
        text = f"# {name}: {_EXPLAINED.get(mode, mode)}.\n[[mode]]\nmode = {value(mode)}\n"
        text += f"who = {value(id)}\npartition = {value(name)}\nauthor = {value(owner)}\n"
        if mode == "conditional_charge":
            text += 'charges = ["felony"]\n'
        out.append(text + 'legal_basis = ""                # state on what ground\n')
    return out


_ENDING = """\
# An agency opts out with a mode of its own, for instance:
# [[mode]]
# mode = "ori_deactivated"
# who = "AN AGENCY'S ORI"
# partition = "A PARTITION"
# author = "THE SAME ORI"
"""
