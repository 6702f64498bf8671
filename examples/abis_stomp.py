"""The ABIS adapter on a message broker: RabbitMQ or ActiveMQ over STOMP.

    pip install fpmatch stomp.py
    python examples/abis_stomp.py county.fpm --ori CS0010200 --partition criminal --share files

takes messages from the queue ``mosip-to-abis`` one after the other, in their order, and puts the
answers into ``abis-to-mosip``. The answer is sent and the message acknowledged in one transaction
of the broker: whatever ends the program in between, the message comes again. Ends at Ctrl-C.

What is yours to write stands in `fetch`: here a referenceURL is a file in a folder, by the last
part of its path. In front of a real data share there are a token and a download, and behind it the
decryption.
"""

from __future__ import annotations

import argparse
import logging
import queue
import re
import threading
from collections.abc import Callable
from pathlib import Path

import stomp

import fpmatch as fp
from fpmatch.formats import abis

log = logging.getLogger("abis")

WAITING = 100
"""Messages that the broker hands over before the first of them is acknowledged."""
NAME = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9_-]")


def share(folder: Path) -> Callable[[str], bytes]:
    """A `fetch` that reads files of a folder."""

    def fetch(url: str) -> bytes:
        name = url.rsplit("/", 1)[-1]
        if NAME.fullmatch(name) is None:
            raise LookupError("no name of a file")
        path = folder / name
        if not path.exists():
            raise abis.Expired
        return path.read_bytes()

    return fetch


class Listener(stomp.ConnectionListener):
    """Puts what arrives into a queue of this process, so that heartbeats go on meanwhile."""

    def __init__(self) -> None:
        self.arrived: queue.Queue[stomp.utils.Frame] = queue.Queue()
        self.lost = threading.Event()

    def on_message(self, frame: stomp.utils.Frame) -> None:
        """Keep it; it is acknowledged when it is answered."""
        self.arrived.put(frame)

    def on_error(self, frame: stomp.utils.Frame) -> None:
        """Say what the broker refuses."""
        log.error("the broker says: %s", frame.headers.get("message"))

    def on_disconnected(self) -> None:
        """Let `serve` end: what is not acknowledged comes again."""
        self.lost.set()


def serve(connection: stomp.Connection12, answer: Callable[[bytes, int], bytes], to: str) -> None:
    """Answer what arrives until the connection is lost."""
    listener = connection.get_listener("")
    while not listener.lost.is_set():
        try:
            frame = listener.arrived.get(timeout=1)
        except queue.Empty:
            continue
        body = frame.body if isinstance(frame.body, bytes) else frame.body.encode()
        said = answer(body, listener.arrived.qsize())
        step = connection.begin()
        connection.send(
            to, said, content_type="application/json", transaction=step, persistent="true"
        )
        connection.ack(frame.headers["ack"], transaction=step)
        connection.commit(step)
        log.info("answered %d bytes with %d", len(body), len(said))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("gallery")
    parser.add_argument("--ori", required=True, help="the agency under whose mask it is searched")
    parser.add_argument("--partition", required=True, help="where inserts go")
    parser.add_argument("--authority", default="", help="by whose authority deletes are served")
    parser.add_argument("--share", required=True, type=Path, help="folder of CBEFF files")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=61613)
    parser.add_argument("--vhost", default="/", help="of RabbitMQ")
    parser.add_argument("--user", default="guest")
    parser.add_argument("--password-file", type=Path, help="its first line; 'guest' without")
    parser.add_argument("--from", dest="source", default="/queue/mosip-to-abis")
    parser.add_argument("--to", default="/queue/abis-to-mosip")
    parser.add_argument("--text", action="store_true", help="answer in text, not in bytes (JMS)")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("stomp.py").setLevel(logging.WARNING)

    adapter = abis.Adapter(options.ori, options.partition, authority=options.authority)
    fetch = share(options.share)
    password = "guest"
    if options.password_file is not None:
        password = options.password_file.read_text("utf-8").splitlines()[0]
    with fp.Engine.open(options.gallery, "rw") as engine:

        def answer(message: bytes, pending: int) -> bytes:
            return abis.handle(message, engine, adapter=adapter, fetch=fetch, pending=pending)

        while True:
            connection = stomp.Connection12(
                [(options.host, options.port)],
                vhost=options.vhost,
                heartbeats=(10_000, 10_000),
                auto_decode=False,
                auto_content_length=not options.text,
                reconnect_attempts_max=60,
            )
            connection.set_listener("", Listener())
            connection.connect(options.user, password, wait=True)
            # Each broker reads its own name of the limit and passes over the other.
            limits = {"prefetch-count": str(WAITING), "activemq.prefetchSize": str(WAITING)}
            connection.subscribe(options.source, id="1", ack="client-individual", headers=limits)
            log.info("waiting at %s", options.source)
            try:
                serve(connection, answer, options.to)
            except KeyboardInterrupt:
                connection.disconnect()
                return
            except stomp.exception.StompException as error:
                log.warning("the connection was lost: %s", type(error).__name__)


if __name__ == "__main__":
    main()
