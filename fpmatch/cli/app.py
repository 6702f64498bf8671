"""The tree of commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from fpmatch.checks import quoted
from fpmatch.cli import cold, keys
from fpmatch.cli.output import fail
from fpmatch.cli.registration import with_csv
from fpmatch.cli.unloaded import Named, Unloaded
from fpmatch.errors import FpmatchError, InputError

Command = Callable[..., None] | Named

# The modules of the commands, each loaded when a command of it is asked for.
abis = Unloaded("abis")
archive = Unloaded("archive")
audit = Unloaded("audit")
audit_reports = Unloaded("audit_reports")
bulk = Unloaded("bulk")
cluster = Unloaded("cluster")
convert = Unloaded("convert")
demo = Unloaded("demo")
evaluate = Unloaded("evaluate")
expunging = Unloaded("expunging")
fingers = Unloaded("fingers")
gallery = Unloaded("gallery")
later = Unloaded("later")
looking = Unloaded("looking")
opt_outs = Unloaded("opt_outs")
owners = Unloaded("owners")
policy = Unloaded("policy")
policy_changes = Unloaded("policy_changes")
quality = Unloaded("quality")
rekeying = Unloaded("rekeying")
replaying = Unloaded("replaying")
report = Unloaded("report")
scenario = Unloaded("scenario")
sealing = Unloaded("sealing")
updating = Unloaded("updating")
search = Unloaded("search")
segment = Unloaded("segment")
synth = Unloaded("synth")
transaction = Unloaded("transaction")
upkeep = Unloaded("upkeep")
warm = Unloaded("warm")
bench_fnir = Unloaded("bench.fnir")
bench_gallery = Unloaded("bench.gallery")
bench_cluster = Unloaded("bench.cluster")
bench = Unloaded("bench.measure")
bench_tenprint = Unloaded("bench.tenprint")


@dataclass(frozen=True, slots=True)
class Group:
    """Commands under a word of their own: ``fpmatch WORD COMMAND``."""

    help: str
    commands: Mapping[str, Command]


TREE: dict[str, dict[str, Command | Group]] = {
    "A first look": {
        "demo": demo.demo_command,
        "scenario": scenario.scenario_command,
    },
    "Fingers": {
        "extract": fingers.extract_command,
        "segment": segment.segment_command,
        "compare": fingers.compare_command,
        "quality": quality.quality_command,
        "convert": convert.convert_command,
        "draw": report.draw_command,
    },
    "Galleries": {
        "init": gallery.init_command,
        "add-partition": gallery.add_partition_command,
        "enrol": bulk.enrol_command,
        "export-records": bulk.export_command,
        "search": search.search_command,
        "verify": looking.verify_command,
        "records": looking.records_command,
        "record": looking.record_command,
        "count": looking.count_command,
        "transaction": transaction.transaction_command,
        "abis": abis.abis_command,
        "seal": sealing.seal_command,
        "unseal": sealing.unseal_command,
        "report": report.report_command,
        "update": updating.update_command,
        "expunge": expunging.expunge_command,
    },
    "Upkeep": {
        "check": upkeep.check_command,
        "backup": upkeep.backup_command,
        "removals": upkeep.removals_command,
        "restore": upkeep.restore_command,
        "cluster": Group(
            "Hosts of a gallery that one machine does not hold, run by Ray.",
            {
                "start": cluster.start_command,
                "status": cluster.status_command,
                "rebalance": cluster.rebalance_command,
                "stop": cluster.stop_command,
            },
        ),
        "archive": Group(
            "A whole gallery as a portable file.",
            {"export": archive.export_command, "import": archive.import_command},
        ),
        "item-keys": rekeying.item_keys_command,
        "rekey": rekeying.rekey_command,
    },
    "What follows a search": {
        "report-event": later.report_event_command,
        "cancel": later.cancel_command,
        "cascade": later.cascade_command,
        "copy": later.copy_command,
        "notifications": owners.notifications_command,
        "deliver": owners.deliver_command,
        "envelope": owners.envelope_command,
        "replay": replaying.replay_command,
    },
    "Policies and the log": {
        "explain": search.explain_command,
        "opt-out": Group(
            "Requests not to be searched, and what became of them.",
            {
                "request": opt_outs.request_command,
                "answer": opt_outs.answer_command,
                "list": opt_outs.list_command,
                "ineffective": opt_outs.ineffective_command,
            },
        ),
        "policy": Group(
            "Begin, check, publish, compare and spell out policies.",
            {
                "new": policy.new_command,
                "check": policy.check_command,
                "diff": policy.diff_command,
                "matrix": policy.matrix_command,
                "deactivate": policy_changes.deactivate_command,
                "activate": policy_changes.activate_command,
                "reschedule": policy_changes.reschedule_command,
                "remove": policy_changes.remove_command,
                "publish": policy.publish_command,
                "schema": policy.schema_command,
            },
        ),
        "audit": Group(
            "Check, read, prove, export and report from the audit log of a gallery.",
            {
                "verify": audit.verify_command,
                "checkpoint": audit.checkpoint_command,
                "records": audit.records_command,
                "prove-not-searched": audit.prove_not_searched_command,
                "prove-withheld": audit.prove_withheld_command,
                "verify-proof": audit.verify_proof_command,
                "export": audit.export_command,
                "verify-export": audit.verify_export_command,
                "unknowing": audit_reports.unknowing_command,
                "ineffective-opt-outs": audit_reports.ineffective_opt_outs_command,
                "by-authority": audit_reports.by_authority_command,
                "stated-against-effective": audit_reports.stated_against_effective_command,
                "declared-citizens": audit_reports.declared_citizens_command,
                "aggregate": audit_reports.aggregate_command,
                "prune": audit.prune_command,
            },
        ),
    },
    "Accuracy, speed, synthetic data": {
        "evaluate": evaluate.evaluate_command,
        "bench": Group(
            "Measure speed; conditions are printed beside it.",
            {
                "extract": bench.extract_command,
                "compare": bench.compare_command,
                "audit": bench.audit_command,
                "enrolment": bench.enrolment_command,
                "bulk": bench.bulk_command,
                "leakage": bench.leakage_command,
                "search": bench_gallery.search_command,
                "fnir": bench_fnir.fnir_command,
                "mask": bench_gallery.mask_command,
                "batch": bench_gallery.batch_command,
                "build": bench_gallery.build_command,
                "open": bench_gallery.open_command,
                "tenprint": bench_tenprint.tenprint_command,
                "cluster": bench_cluster.cluster_command,
            },
        ),
        "synth": Group(
            "Make synthetic data: nobody's fingers.",
            {
                "prints": synth.prints_command,
                "gallery": synth.gallery_command,
                "scenarios": synth.scenarios_command,
            },
        ),
    },
    "About": {
        "warm": warm.warm_command,
        "info": gallery.info_command,
    },
}
"""Every command, by the heading that ``--help`` lists it under. The one place of registration."""

WORDS = frozenset(name for entries in TREE.values() for name in entries)
"""The first words that there are."""

SEVERAL = frozenset({"--probes"})
"""Options that take any number of values."""

_COMMON: dict[str, Any] = {
    "no_args_is_help": True,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def _version(asked: bool) -> None:
    if asked:
        import fpmatch

        print(f"fpmatch {fpmatch.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            help="Keys of an encrypted gallery; also the variables FPMATCH_KEY_FILE, FPMATCH_KEYS.",
        ),
    ] = None,
) -> None:
    keys.take(key_file)


def grown(asked: str = "") -> typer.Typer:
    """The command line of `TREE`, or of one word of it.

    Parameters
    ----------
    asked : str
        The first word of the command line. Where it is a command or a group only its modules are
        loaded: all of them take longer than most commands.
    """
    out = typer.Typer(
        name="fpmatch",
        help="Fingerprint identification with access control inside the search.",
        callback=_root,
        **_COMMON,
    )
    for heading, entries in TREE.items():
        for name, entry in entries.items():
            if asked in WORDS and name != asked:
                continue
            if not isinstance(entry, Group):
                out.command(name, rich_help_panel=heading)(with_csv(_loaded(entry)))
                continue
            group = typer.Typer(help=entry.help, **_COMMON)
            for inner, command in entry.commands.items():
                group.command(inner)(with_csv(_loaded(command)))
            out.add_typer(group, name=name, rich_help_panel=heading)
    return out


def _loaded(command: Command) -> Callable[..., None]:
    return command.load() if isinstance(command, Named) else command


def __getattr__(name: str) -> typer.Typer:
    if name == "app":
        app = globals()[name] = grown()
        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def spread(words: list[str]) -> list[str]:
    """Repeat an option that takes several values: ``--probes A B`` is ``--probes A --probes B``."""
    out: list[str] = []
    option, fresh = "", False
    for word in words:
        if word.startswith("-"):
            option = word if word in SEVERAL else ""
            fresh = True
        elif option and not fresh:
            out.append(option)
        out.append(word)
        fresh = word.startswith("-")
    return out


def first_word(words: list[str]) -> str:
    """The command that is asked for, behind the options that all commands share."""
    while words and words[0].startswith("--key-file"):
        words = words[1 if "=" in words[0] else 2 :]
    return words[0] if words else ""


def run() -> None:
    """Run the command line; errors of `fpmatch.errors` become one line and status 2."""
    sys.argv[1:] = spread(sys.argv[1:])
    try:
        with cold.shown():
            grown(first_word(sys.argv[1:]))()
    except FpmatchError as error:
        fail(error)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        # What no command foresaw of the system's refusals is no fault of the program either.
        fail(InputError(f"{quoted(str(error.filename or ''))}: {error.strerror or error}"))
