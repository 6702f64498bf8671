"""How commands open a gallery: the options of `Engine.open`, from one file."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fpmatch.checks import quoted
from fpmatch.cli.keys import keys_of
from fpmatch.errors import InputError

if TYPE_CHECKING:
    from fpmatch.search import Engine

EngineFile = Annotated[
    Path | None,
    typer.Option(
        "--engine",
        metavar="FILE",
        help="TOML file with options of Engine.open: actor, hit_score, vault, routes, keys ...",
    ),
]
KEYS = (
    "threads", "durability", "hit_score", "withheld_ms", "actor", "vault", "routes", "shards",
    "keys", "apart",
)  # fmt: skip
"""What an engine file may say; `Engine.open` says what each means."""


def opened(
    gallery: Path, engine_file: Path | None = None, mode: Literal["r", "rw"] = "r", **given: Any
) -> Engine:
    """Open a gallery as the command line asks for it.

    Parameters
    ----------
    gallery : Path
        Its folder.
    engine_file : Path, optional
        See `engine_options`.
    mode : {"r", "rw"}
        As `Engine.open` takes it.
    **given
        Further options; None leaves one to the file, or to its default.

    Raises
    ------
    InputError
        If the file cannot be read, or says what cannot be used.
    """
    from fpmatch.search import Engine

    options = engine_options(engine_file) if engine_file is not None else {}
    options |= {name: value for name, value in given.items() if value is not None}
    options.setdefault("keys", keys_of(gallery))
    return Engine.open(str(gallery), mode, **options)


def engine_options(path: Path) -> dict[str, Any]:
    """The options that a TOML file states.

    ``vault = "module:object"`` is imported; a class or function is called. ``[routes.PARTITION]``
    has a line for each agency or jurisdiction. ``shards`` is the folder of a cluster.

    Raises
    ------
    InputError
        If the file cannot be read or has another key, or there is no such vault.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    if not isinstance(found.get("keys", ""), str):
        raise InputError(f"{path}: keys must be the path of a file, or env:NAME")
    unknown = sorted(set(found) - set(KEYS))
    if unknown:
        raise InputError(f"{path}: {quoted(unknown[0])} is no key; known: {', '.join(KEYS)}")
    if "vault" in found:
        found["vault"] = _vault(found["vault"], path)
    if "shards" in found:
        from fpmatch.cluster.ray_cluster import open_on_ray

        found["shards"] = open_on_ray(found["shards"])
    return found


def _vault(name: Any, path: Path) -> Any:
    module, _, attribute = name.partition(":") if isinstance(name, str) else ("", "", "")
    if not module or not attribute:
        raise InputError(f"{path}: vault {quoted(name)} must read module:object")
    try:
        made = getattr(importlib.import_module(module), attribute)
        if callable(made) and not hasattr(type(made), "seal"):
            made = made()
    except Exception as error:
        # The module is the operator's: whatever it raises is said in one line.
        raise InputError(f"{path}: there is no vault {quoted(name)}: {error}") from error
    if not all(callable(getattr(made, method, None)) for method in ("seal", "open")):
        raise InputError(f"{path}: the vault {quoted(name)} needs the methods seal and open")
    return made
