"""The samples that come with the library: synthetic prints, scenarios, a policy."""

from __future__ import annotations

from pathlib import Path

from fpmatch.argument_types import takes
from fpmatch.checks import quoted
from fpmatch.errors import InputError

_PACKAGE = Path(__file__).resolve().parent
_FOLDERS = (_PACKAGE / "data" / "synthetic", _PACKAGE.parent / "data" / "synthetic")
"""Of an installed package, whose wheel brings a copy; of a source checkout, where they are."""
_ELSEWHERE = {"demo_policy.toml": _PACKAGE / "cli" / "demo_policy.toml"}


@takes(name=str)
def sample(name: str = "") -> Path:
    """A file or folder of the samples, wherever the library is installed.

    Parameters
    ----------
    name : str
        ``optical/1_1.png`` to ``optical/10_4.png`` and the same of ``capacitive``: impression 1 to
        4 of synthetic fingers 1 to 10, 500 ppi; ``scenarios/NAME.toml``; ``demo_policy.toml``;
        empty for the folder that holds prints and scenarios.

    Raises
    ------
    InputError
        If there is no such sample.
    """
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    folder = next((f for f in _FOLDERS if (f / "ppi.json").is_file()), None)
    if folder is None:
        raise InputError("the samples are missing from this installation")
    try:
        path = (folder / name).resolve()
        found = path.is_relative_to(folder) and path.exists()
    except (OSError, ValueError):  # a name that no file can have
        found = False
    if not found:
        raise InputError(f"there is no sample {quoted(name)}")
    return path
