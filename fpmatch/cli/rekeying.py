"""``fpmatch item-keys`` and ``rekey``: the keys of an encrypted gallery."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fpmatch.cli.gallery import Gallery
from fpmatch.cli.keys import keys_given
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, emit, table
from fpmatch.errors import KeysError


def item_keys_command(
    gallery: Gallery,
    out: Annotated[Path, typer.Option("--out", help="Write them there; replaced whole.")],
    actor: Annotated[str, typer.Option("--actor", help="Who asks; goes into the log.")] = "",
    json_file: JsonFile = None,
) -> None:
    """The keys of an encrypted gallery's records, wrapped: `restore` asks for them."""
    from fpmatch import upkeep

    keys = keys_given()
    if keys is None:
        raise KeysError("name the gallery's keys: fpmatch --key-file FILE item-keys ...")
    count = upkeep.item_keys(gallery, out, keys=keys, actor=actor)
    emit({"file": str(out), "keys": count}, json_file, table(["file", "keys"], [(str(out), count)]))


def rekey_command(
    gallery: Gallery,
    renew: Annotated[
        bool, typer.Option("--renew", help="Make new keys for all data too, and encrypt it anew.")
    ] = False,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Put an encrypted gallery under the caller's newest key, while others use it."""
    with opened(gallery, engine_file, "rw") as engine:
        done = engine.rekey(renew=renew)
    rows = list(asdict(done).items())
    emit(asdict(done), json_file, table(["keys", "value"], rows))
