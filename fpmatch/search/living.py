"""Which openings of a gallery are alive: what a living one has begun is nobody else's to finish."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import IO

from fpmatch.locking import try_lock

FOLDER = "living"


class Living:
    """One opening of a gallery, for as long as its process lives.

    It holds a lock on a file of its own, which ends with the process however that ends, and which
    no later process of the same number can hold by chance.

    Parameters
    ----------
    folder : Path
        The gallery's folder.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._folder.mkdir(exist_ok=True)
        self.name = secrets.token_hex(16)
        # Locked before it has its name: under that, an unlocked file is that of a dead process.
        unnamed = self._folder / f"{self.name}.new"
        self._file: IO[bytes] = open(unnamed, "a+b")  # noqa: SIM115
        if not try_lock(self._file):
            raise OSError(f"a new file in {self._folder.name} cannot be locked")
        unnamed.rename(self._folder / self.name)

    def alive(self, name: str) -> bool:
        """Whether the opening of that name has not ended; True for this one.

        Parameters
        ----------
        name : str
            As in `name` of that opening; "" for one that left no name, which counts as ended.
        """
        if name == self.name:
            return True
        if not name:
            return False
        try:
            with open(self._folder / name, "r+b") as file:
                ended = try_lock(file)
        except OSError:
            return False
        return not ended

    def clear(self) -> None:
        """Remove the files of openings that have ended."""
        for path in self._folder.glob("*"):
            if path.suffix != ".new" and not self.alive(path.name):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def close(self) -> None:
        """End this opening."""
        with contextlib.suppress(OSError):
            (self._folder / self.name).unlink(missing_ok=True)
        self._file.close()
