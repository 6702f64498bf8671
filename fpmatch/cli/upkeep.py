"""``fpmatch check``, ``backup``, ``removals``, ``restore``: a gallery as a system of record."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fpmatch.cli.gallery import Gallery
from fpmatch.cli.keys import keys_given, keys_of
from fpmatch.cli.output import JsonFile, emit, progress_bar, table


def check_command(
    gallery: Gallery,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make anew what is derived, and check again.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Compute search forms, sketches and lists again, too.")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Verify everything in a gallery against everything else."""
    from fpmatch import upkeep

    keys = keys_of(gallery)
    with progress_bar() as progress:
        if repair:
            found, left = upkeep.repair(gallery, deep=deep, progress=progress, keys=keys)
        else:
            found = left = upkeep.check(gallery, deep=deep, progress=progress, keys=keys)
    result = {
        "findings": [asdict(finding) for finding in left],
        "mended": [asdict(finding) for finding in found if finding not in left],
    }
    tables = []
    if result["mended"]:
        rows = [(one["where"], one["what"]) for one in result["mended"]]
        tables.append(table(["mended", "what was wrong"], rows, text=["what was wrong"]))
    if left:
        cells = [(one.where, one.what, one.do) for one in left]
        tables.append(table(["where", "what is wrong", "what to do"], cells, text=["what to do"]))
    emit(result, json_file, *tables, *([] if left else ["Everything fits."]))
    if left:
        raise typer.Exit(1)


def backup_command(
    gallery: Gallery,
    to: Annotated[Path, typer.Argument(help="A new folder, or a new .tar file.")],
    actor: Annotated[str, typer.Option("--actor", help="Who makes it; goes into the log.")] = "",
    item_keys: Annotated[
        Path | None,
        typer.Option("--item-keys", help="Of an encrypted gallery: where its records' keys go."),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Copy a gallery while it is searched and written, with a digest of each file."""
    from fpmatch import upkeep

    with progress_bar() as progress:
        made = upkeep.backup(
            gallery, to, actor=actor, progress=progress, keys=keys_of(gallery), item_keys=item_keys
        )
    rows = [(name, count, made.roots[name]) for name, count in made.records.items()]
    said = f"{len(made.files)} files, policy version {made.policy}, made {made.made}"
    emit(asdict(made), json_file, table(["partition", "records", "root"], rows), said)


def removals_command(
    gallery: Gallery,
    out: Annotated[Path, typer.Option("--out", help="Write the list there; replaced whole.")],
    json_file: JsonFile = None,
) -> None:
    """What was expunged, sealed and barred until now, by keyed digest: `restore` asks for it."""
    from fpmatch import upkeep
    from fpmatch.durable import replacing, storage_errors

    content = upkeep.removals(gallery, keys=keys_of(gallery))
    with storage_errors(out.name), replacing(out) as file:
        file.write(content)
    rows = [(str(out), len(content))]
    emit({"file": str(out), "bytes": len(content)}, json_file, table(["file", "bytes"], rows))


def restore_command(
    backup: Annotated[Path, typer.Argument(help="A backup's folder, or its .tar file.")],
    to: Annotated[Path, typer.Argument(help="A new folder.")],
    removals: Annotated[
        Path | None, typer.Option("--removals", help="What `fpmatch removals` wrote last.")
    ] = None,
    without_removals: Annotated[
        bool,
        typer.Option("--without-removals", help="There is no such list; the log says so."),
    ] = False,
    item_keys: Annotated[
        Path | None,
        typer.Option("--item-keys", help="Of an encrypted gallery: its records' keys, the newest."),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Make a gallery again from a backup, without what was withdrawn since."""
    from fpmatch import upkeep

    done = upkeep.restore(
        backup,
        to,
        removals=removals,
        without_removals=without_removals,
        item_keys=item_keys,
        keys=keys_of(backup) if item_keys is None else keys_given(),
    )
    rows = [(name, count) for name, count in done.backup.records.items()]
    said = (
        f"Of {done.backup.made}; expunged again {done.expunged}, sealed {done.sealed}, unsealed "
        f"{done.unsealed}, barred as last {done.barred}; kept probes destroyed {done.probes}; "
        f"policy version {done.policy}."
    )
    emit(asdict(done), json_file, table(["partition", "records then"], rows), said)
