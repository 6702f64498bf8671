"""Compiled kernels on disk: found again, checked, and never in the way.

numba's own cache raises where no folder can be written and where a file of it is damaged, loads
machine code without looking whether a byte of it has changed, and takes a kernel for current while
the file of a kernel that it calls has changed. Here a file carries its SHA-256, what does not fit
is compiled anew, and a kernel is current only while no kernel's source has changed.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
from functools import cache
from pathlib import Path
from typing import Any

from fpmatch.compiling import COMPILES, READY, name_of, tell, turn

log = logging.getLogger(__name__)
_DIGEST = hashlib.sha256().digest_size


def attach(dispatcher: Any) -> None:
    """Give a compiled function a cache, where there is a folder for one, and tell who watches.

    Parameters
    ----------
    dispatcher : numba dispatcher
        As `numba.njit` makes it, without a cache.
    """
    try:
        _follow(dispatcher)
    except (AttributeError, ImportError, TypeError):
        log.debug("this numba compiles in another way; nobody is told of it")
    try:
        dispatcher.enable_caching()
    except RuntimeError:
        # Neither the package's folder, nor the user's, nor NUMBA_CACHE_DIR can be written.
        _say_once()
        return
    try:
        dispatcher._cache = _made(dispatcher.py_func)
    except (AttributeError, ImportError, TypeError):
        log.debug("this numba keeps its cache in another way; it is used as it is")


def _follow(dispatcher: Any) -> None:
    """Have every compilation of a kernel told, and its turn end with it."""
    from numba.core.compiler_lock import global_compiler_lock

    compile_ = dispatcher.compile
    kernel = name_of(dispatcher.py_func)
    _listen()

    def compiled(signature: Any) -> Any:
        with global_compiler_lock, turn.call():
            made = compile_(signature)
        tell(READY, kernel)
        return made

    dispatcher.compile = compiled


@cache
def _listen() -> None:
    """Hear from numba when it begins to compile a kernel; of those that it calls, nothing."""
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        def __init__(self) -> None:
            self.depth = 0

        def on_start(self, event: Any) -> None:
            function = event.data["dispatcher"].py_func
            self.depth += 1
            if self.depth == 1 and function.__module__.startswith("fpmatch."):
                tell(COMPILES, name_of(function))

        def on_end(self, event: Any) -> None:
            self.depth -= 1

    event.register("numba:compile", Listener())


def cache_folder() -> Path | None:
    """Where compiled kernels are kept; None where they cannot be."""
    import importlib

    kernels = importlib.import_module("fpmatch.matcher._kernels")
    for value in vars(kernels).values():
        stats = getattr(value, "stats", None)
        if stats is not None and getattr(stats, "cache_path", None):
            return Path(stats.cache_path)
    return None


@cache
def kernels_digest() -> bytes:
    """SHA-256 of the source of all kernels of the package."""
    total = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        if "_kernels" in path.relative_to(root).as_posix():
            total.update(path.relative_to(root).as_posix().encode() + b"\x00" + path.read_bytes())
    return total.digest()


@cache
def _say_once() -> None:
    log.warning(
        "no folder for compiled kernels can be written: they are compiled again by every "
        "process; NUMBA_CACHE_DIR names one"
    )


def _made(function: Any) -> Any:
    from numba.core.caching import FunctionCache, IndexDataCacheFile

    class CheckedFile(IndexDataCacheFile):  # type: ignore[misc]
        """Index and data files that end with the SHA-256 of what is before."""

        def _dump(self, obj: Any) -> bytes:
            data = super()._dump(obj)
            return bytes(data) + hashlib.sha256(data).digest()

        def _load_index(self) -> Any:
            try:
                data = Path(self._index_path).read_bytes()
                version, start = _first_pickle(data)
                if version != self._version:
                    return {}
                stamp, overloads = _checked(data[start:])
            except FileNotFoundError:
                return {}
            return overloads if stamp == self._source_stamp else {}

        def _load_data(self, name: str) -> Any:
            return _checked(Path(self._data_path(name)).read_bytes())

    class CheckedCache(FunctionCache):  # type: ignore[misc]
        """A cache that costs time when it fails, and nothing else."""

        def __init__(self, function: Any) -> None:
            super().__init__(function)
            stamp = self._impl.locator.get_source_stamp()
            self._cache_file: Any = CheckedFile(
                self._cache_path, self._impl.filename_base, (stamp, kernels_digest())
            )

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            found = self._looked_for(sig, target_context)
            if found is None:
                # Several that start together: one compiles, the others wait and find it here.
                turn.take(Path(self._cache_path), name_of(self._py_func))
                found = self._looked_for(sig, target_context)
            return found

        def _looked_for(self, sig: Any, target_context: Any) -> Any:
            try:
                return super().load_overload(sig, target_context)
            except Exception as error:
                log.warning(
                    "a compiled kernel in %s is damaged (%s) and is compiled again",
                    self._cache_path,
                    type(error).__name__,
                )
                self._forget()
                return None

        def save_overload(self, sig: Any, data: Any) -> None:
            try:
                super().save_overload(sig, data)
            except Exception as error:
                log.warning(
                    "a compiled kernel cannot be kept in %s: %s",
                    self._cache_path,
                    type(error).__name__,
                )

        def _forget(self) -> None:
            try:
                Path(self._cache_file._index_path).unlink(missing_ok=True)
            except OSError:
                log.debug("the damaged index cannot be removed")

    return CheckedCache(function)


def _first_pickle(data: bytes) -> tuple[Any, int]:
    import io

    stream = io.BytesIO(data)
    return pickle.load(stream), stream.tell()


def _checked(data: bytes) -> Any:
    content, digest = data[:-_DIGEST], data[-_DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("checksum")
    return pickle.loads(content)
