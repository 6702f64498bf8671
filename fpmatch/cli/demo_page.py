"""How the demo reads: short sentences and one table a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from fpmatch.cli.demo_data import WANTED
from fpmatch.cli.demo_play import BUREAU, PARTITIONS, POLICY, SUBMITTERS, Told, checks
from fpmatch.types import Outcome, Reason

if TYPE_CHECKING:
    from fpmatch.types import PartitionResult

NAMES = {ori: name for ori, name, _ in SUBMITTERS} | {
    BUREAU: "State Bureau of Identification",
    "alder": "Alder County",
    "birch": "Birch County",
    "cascadia": "State of Cascadia",
}
_Row = tuple[str | Text, ...]
TCNS = {tcn for _, _, tcn in SUBMITTERS}
_HOW = {
    Reason.GRANTED: "by agreement with DHS",
    Reason.ORI_DEACTIVATED: "switched this one site off",
    Reason.RESULTS_WITHHELD: "asked for no results",
}
YES, NO, HALF = "bold green", "bold red", "bold yellow"


def opening() -> Panel:
    """What the demo is about."""
    return Panel(
        "One person is booked by three agencies. Each sends the same fingerprint.\n"
        "Two galleries could answer: [b]criminal[/b] (owner DOJ-FBI) and [b]immigration[/b] "
        "(owner DHS).\n"
        "Who may search which is settled by a policy, before anything is compared.\n"
        "[dim]All of it is invented: the fingerprints, the persons, the agencies.[/dim]",
        title="fpmatch demo",
        expand=False,
    )


def pages(told: Told, keep: Path | None) -> Iterator[Any]:
    """Everything after the opening, in order."""
    yield from _enrolment(told)
    yield from _policy(told)
    yield from _submitters(told)
    yield from _owners(told)
    yield from _proofs(told)
    yield from _summary(told, keep)


def _enrolment(told: Told) -> Iterator[Any]:
    yield Rule("1  Enrolment", align="left")
    rows: list[_Row] = [
        (name, owner, str(told.enrolled[name].accepted), getattr(WANTED, name))
        for name, _, owner in PARTITIONS
    ]
    yield _table(("partition", "owner", "records", "the person booked is"), rows)
    made = f", {told.made} made on the spot" if told.made else ""
    yield f"{told.read + told.made} synthetic prints ({told.read} read{made}).\n"


def _policy(told: Told) -> Iterator[Any]:
    yield Rule("2  The policy says, before any search", align="left")
    rows: list[_Row] = []
    for ori, name, _ in SUBMITTERS:
        cells = [_permitted(told, ori, partition) for partition, _, _ in PARTITIONS]
        why = told.why[ori, "immigration"]
        by = f"{NAMES.get(why.author, why.author)}\n{_HOW[why.reason]}"
        rows.append((f"{name}\n{ori}", *cells, by))
    columns = ("agency", "criminal", "immigration", "who decided on immigration")
    yield _table(columns, rows)
    version = told.policy.version if told.policy else 0
    yield f"Policy version {version}, from {POLICY.name}. What no rule permits is denied.\n"


def _permitted(told: Told, ori: str, partition: str) -> Text:
    decision = told.why[ori, partition].decision
    if not decision.probe:
        return Text(f"no search\n{decision.reason.value}", NO)
    if not decision.view:
        return Text("search, but withhold\nthe result", HALF)
    return Text("search, show the result", YES)


def _submitters(told: Told) -> Iterator[Any]:
    yield Rule("3  The same fingerprint, three submitters: what each gets", align="left")
    rows: list[_Row] = []
    for ori, name, tcn in SUBMITTERS:
        response = told.responses[ori]
        cells = [_answer(response[partition]) for partition, _, _ in PARTITIONS]
        rows.append((f"{name}\n{tcn}", *cells))
    yield _table(("submitter", "answer of criminal", "answer of immigration"), rows)
    yield (
        "A candidate is a record worth a person's look, never an identification.\n"
        "The sheriff then sent a stranger's finger: the withheld answer was "
        f"{'the same, byte for byte' if told.same_bytes else 'DIFFERENT'}.\n"
    )


def _answer(section: PartitionResult) -> Text:
    if section.outcome is Outcome.SEARCHED_DISCLOSED:
        found = section.candidates or ()
        lines = [f"{c.record}  score {c.score:.2f}\nFMR {c.claim}" for c in found]
        return Text("\n".join(["searched", *(lines or ["no candidate"])]), YES)
    if section.outcome is Outcome.SEARCHED_WITHHELD:
        return Text("searched, result withheld\nno candidates, no counts", HALF)
    return Text(f"not searched\n{section.reason.value}", NO)


def _owners(told: Told) -> Iterator[Any]:
    yield Rule("4  What the owners of the partitions are told", align="left")
    rows: list[_Row] = []
    for partition, _, owner in PARTITIONS:
        for _, name, tcn in SUBMITTERS:
            found = [(m, r) for m, r in told.messages if (m.partition, m.tcn) == (partition, tcn)]
            said: Text | str = Text("nothing", "dim")
            office = ""
            if found:
                message, records = found[0]
                said, office = Text(f"hit on {', '.join(records)}", YES), message.office
            rows.append((f"{owner} ({partition})", f"{name}, {tcn}", said, office))
    yield _table(("owner", "search by", "is told", "message goes to"), rows)
    for partition, _, owner in PARTITIONS:
        count = sum(m.partition == partition and m.tcn in TCNS for m, _ in told.messages)
        notified = any(told.why[ori, partition].decision.notify for ori, _, _ in SUBMITTERS)
        rule = "" if notified else " (its rule asks for no messages)"
        yield f"{owner} is told of {count} of the {len(SUBMITTERS)} searches{rule}."
    yield ""


def _proofs(told: Told) -> Iterator[Any]:
    yield Rule("5  What the audit log proves about each partition", align="left")
    rows: list[_Row] = []
    for _, name, tcn in SUBMITTERS:
        for partition, _, _ in PARTITIONS:
            count = told.compared[tcn, partition]
            proved = (tcn, partition) in told.proofs
            compared = Text(str(count), "" if count else NO)
            rows.append((f"{tcn}  {name}", partition, compared, _claim(count, proved)))
    columns = ("search", "partition", "records compared", "the log proves")
    yield _table(columns, rows, right=("records compared",))
    yield "What the two proofs say; anyone can check them without the log:"
    for sentence in told.proofs.values():
        said = Text(f"“{sentence.split('. Decided')[0]}.”", "italic")
        yield Padding(said, (0, 0, 0, 2), expand=False)
    yield "Each names the policy version, the rules and the two records of the log it rests on."
    report, tampered = told.report, told.tampered
    if report is None or tampered is None:
        return
    whole = "the chain holds from first to last" if report.ok else f"BROKEN: {report.why}"
    yield Text(
        f"\nVerified: {report.records} records, {whole}, "
        f"{len(report.dangling)} searches without an outcome.",
        YES if report.ok else NO,
    )
    found = "went UNNOTICED" if tampered.ok else f"was found at record {tampered.bad_seq}"
    yield f"One answer changed in a copy of the log {found}.\n"


def _claim(compared: int, proved: bool) -> Text:
    if not compared:
        return Text("not searched: proof made and checked" if proved else "no proof", NO)
    if proved:
        return Text("result withheld: proof made and checked", HALF)
    return Text("searched, result shown to the submitter", YES)


def _summary(told: Told, keep: Path | None) -> Iterator[Any]:
    held_or_not = Table.grid(padding=(0, 1))
    for what, held in checks(told):
        mark = Text("✓" if held else "✗", YES if held else NO)
        held_or_not.add_row(mark, what if held else Text(f"DID NOT HOLD: {what}", NO))
    if keep is not None:
        after = f"The gallery is in {keep}. Try: fpmatch audit verify {keep}"
    else:
        after = "To keep the gallery and go on: fpmatch demo --keep county.fpm"
    yield Panel(Group(held_or_not, "", Text(after)), title="In short", expand=False)


def _table(columns: Sequence[str], rows: Sequence[_Row], right: Sequence[str] = ()) -> Table:
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False)
    for name in columns:
        out.add_column(name, justify="right" if name in right else "left")
    for row in rows:
        out.add_row(*row)
    return out
