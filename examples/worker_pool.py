"""A pool of processes that search, behind one port: a line of JSON in, a line of JSON out.

    pip install fpmatch
    python examples/worker_pool.py county.fpm --ori CS0010200 --chain CSSIR0000 --workers 4

Each process has the gallery open for reading, whoever writes it meanwhile, and takes connections
from the one port; a connection may send as many lines as it likes and reads the answers in their
order. A process that dies is replaced. Needs nothing but fpmatch.

    {"fingers": ["(a picture or a stored template, base64)", ...], "tcn": "...", "ppi": 500}
    {"tcn": "...", "partitions": [...]}                  a response, as `SearchResponse` writes it
    {"error": "ExtractionError", "message": "..."}       or what was wrong
    {"ping": true}  ->  {"pong": (number of the process)}

Whoever reaches the port asks as the agency of the command line: it listens on this machine alone,
for a program of yours that has authenticated the caller. Ends at Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import multiprocessing
import os
import signal
import socket
import socketserver
import sys
import time
from multiprocessing.connection import wait
from typing import Any

import fpmatch as fp
from fpmatch.errors import FpmatchError, InputError

LONGEST_LINE = 32 << 20
KNOWN = {"fingers", "ppi", "tcn", "transaction", "partitions", "max_candidates"}


def template(data: bytes, ppi: float | None) -> fp.Template:
    """Of a stored template, or of a picture, decoded in a process of its own."""
    if data.startswith(b"FPT"):
        return fp.Template.from_bytes(data)
    return fp.extract(fp.read_image(data, ppi=ppi, isolated=os.name == "posix"))


def answer(line: bytes, engine: fp.Engine, agency: dict[str, Any]) -> bytes:
    """The answer to one line; whatever is wrong with the line is an answer too."""
    try:
        try:
            asked = json.loads(line)
            if asked == {"ping": True}:
                return json.dumps({"pong": os.getpid()}).encode()
            unknown = set(asked) - KNOWN
            prints = [base64.b64decode(text, validate=True) for text in asked.pop("fingers")]
            ppi = asked.pop("ppi", None)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise InputError("a line is a JSON object with fingers, in base64") from None
        if unknown:
            raise InputError(f"a line has {', '.join(sorted(KNOWN))}, and nothing else")
        request = fp.SearchRequest([template(data, ppi) for data in prints], **agency, **asked)
        return engine.search(request).to_bytes()
    except FpmatchError as error:
        return json.dumps({"error": type(error).__name__, "message": str(error)}).encode()


class Pool(socketserver.ThreadingTCPServer):
    """One process's end of the port: a thread for each connection, one engine for all."""

    daemon_threads = True

    def __init__(self, port: socket.socket, engine: fp.Engine, agency: dict[str, Any]) -> None:
        super().__init__(port.getsockname(), Lines, bind_and_activate=False)
        self.socket.close()
        self.socket = port
        self.engine, self.agency = engine, agency


class Lines(socketserver.StreamRequestHandler):
    """One connection."""

    server: Pool

    def handle(self) -> None:
        """Answer line after line until the other side has no more."""
        with contextlib.suppress(ConnectionError):
            while line := self.rfile.readline(LONGEST_LINE):
                if not line.endswith(b"\n"):
                    return  # too long, or cut off
                self.wfile.write(answer(line, self.server.engine, self.server.agency) + b"\n")


def work(gallery: str, port: socket.socket, agency: dict[str, Any]) -> None:
    """One process of the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    fp.warm()
    port.setblocking(False)  # all wait for a connection; who comes too late goes on waiting
    with fp.Engine.open(gallery) as engine, Pool(port, engine, agency) as pool:
        pool.serve_forever()


def keep(workers: int, *args: Any) -> None:
    """Have so many processes until told to end."""
    context = multiprocessing.get_context("spawn")  # an engine may not be used after a fork

    def start() -> Any:
        process = context.Process(target=work, args=args, daemon=True)
        process.start()
        return process

    running = [start() for _ in range(workers)]
    while True:
        wait([process.sentinel for process in running])
        for process in [one for one in running if not one.is_alive()]:
            print(f"process {process.pid} ended ({process.exitcode})", file=sys.stderr)
            running.remove(process)
            time.sleep(1)  # one that cannot start is not started again all the time
            running.append(start())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("gallery")
    parser.add_argument("--ori", required=True, help="the agency that asks")
    parser.add_argument("--chain", nargs="*", default=(), help="agencies that it passed")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--port", type=int, default=7001, help="0: any that is free")
    options = parser.parse_args()
    agency = {"booking_ori": options.ori, "chain": tuple(options.chain)}
    try:  # what is wrong is said once, not by each process
        for ori in (options.ori, *options.chain):
            fp.Ori(ori)
        with fp.Engine.open(options.gallery):
            pass
    except FpmatchError as error:
        parser.error(str(error))
    with socket.create_server(("127.0.0.1", options.port)) as port:
        print(f"listening on port {port.getsockname()[1]}", flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # ends the daemons with it
        with contextlib.suppress(KeyboardInterrupt):
            keep(options.workers, options.gallery, port, agency)


if __name__ == "__main__":
    main()
