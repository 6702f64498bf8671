"""A web service over a gallery: any number of processes that search, beside one that enrols.

    pip install fpmatch fastapi uvicorn
    python examples/web_service.py county.fpm --callers callers.toml --workers 4
    python examples/web_service.py county.fpm --callers callers.toml --write --port 8001

The first command opens the gallery for reading in four processes; the second, which alone may
enrol, opens it for writing. Each search sees all that was enrolled before it began.

fpmatch believes what it is told about who asks, so that this file has to know it: a caller shows a
token, and the agency, its chain and its role come from ``callers.toml``, never from a request:

    [[caller]]
    token_sha256 = "..."            # of a long random token: the token itself is stored nowhere
    booking_ori = "CS0010200"
    chain = ["CSSIR0000"]
    role = ""
    enrols = ["criminal"]           # partitions that it may enrol into

It speaks plain HTTP and listens on this machine alone: put what ends TLS in front of it.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import hmac
import os
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

import fpmatch as fp
from fpmatch import errors

LARGEST_BODY = 32 << 20
"""Bytes of a request: ten fingers of a card, in base64."""
STATUS = (
    (errors.PolicyError, 403),
    (errors.InputError, 422),
    (errors.ExtractionError, 422),
    (errors.SearchCancelled, 503),
    (errors.LockedError, 503),
    (errors.FpmatchError, 500),
)
"""The first that fits says how an error is answered."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and as what; from the file of callers."""

    token_sha256: str
    booking_ori: str
    chain: tuple[str, ...] = ()
    role: str = ""
    enrols: tuple[str, ...] = ()


def read_callers(path: str) -> tuple[Caller, ...]:
    """The callers of a file; an agency that is no ORI is an `InputError` at the start."""
    listed = tomllib.loads(Path(path).read_text("utf-8"))["caller"]
    callers = tuple(
        Caller(**{k: tuple(v) if isinstance(v, list) else v for k, v in one.items()})
        for one in listed
    )
    for caller in callers:
        for ori in (caller.booking_ori, *caller.chain):
            fp.Ori(ori)
    return callers


class Finger(BaseModel):
    """One print: a picture in base64, and what is known about it."""

    model_config = ConfigDict(extra="forbid")

    picture: str = Field(max_length=LARGEST_BODY)
    position: int = Field(default=0, ge=0, le=10)
    ppi: float | None = None

    def template(self) -> fp.Template:
        """Its template. A picture from outside is decoded in a process of its own."""
        try:
            data = base64.b64decode(self.picture, validate=True)
        except binascii.Error:
            raise errors.InputError("a picture is not base64") from None
        image = fp.read_image(data, ppi=self.ppi, isolated=os.name == "posix")
        return fp.extract(image, position=fp.FingerPosition(self.position))


class Submission(BaseModel):
    """A search: what of a `SearchRequest` the caller may say."""

    model_config = ConfigDict(extra="forbid")

    fingers: list[Finger] = Field(min_length=1, max_length=20)
    transaction: str = "CAR"
    tcn: str = ""
    partitions: list[str] | None = None
    charge: str | None = None
    max_candidates: int = Field(default=20, ge=1, le=100)


class Enrolment(BaseModel):
    """A record's fingers at one event."""

    model_config = ConfigDict(extra="forbid")

    fingers: list[Finger] = Field(min_length=1, max_length=20)
    event: str = ""


bearer = HTTPBearer()


def caller_of(
    request: Request, shown: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]
) -> Caller:
    """Who it is that asks, by the token."""
    digest = hashlib.sha256(shown.credentials.encode()).hexdigest()
    for caller in request.app.state.callers:
        if hmac.compare_digest(caller.token_sha256, digest):
            return caller  # type: ignore[no-any-return]
    raise HTTPException(401, "no such caller", {"WWW-Authenticate": "Bearer"})


Known = Annotated[Caller, Depends(caller_of)]


def make_app(gallery: str, callers: str, *, write: bool) -> FastAPI:
    """The service over one gallery, which reads or writes."""

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[None]:
        app.state.callers = read_callers(callers)
        fp.warm()  # a process is ready when nothing is left to compile
        # Of two writers the second waits: the old one may be on its way out.
        with fp.Engine.open(gallery, "rw" if write else "r", wait=30) as engine:
            app.state.engine = engine
            yield

    app = FastAPI(lifespan=opened, docs_url=None, redoc_url=None)  # those pages need a network

    @app.exception_handler(errors.FpmatchError)
    async def failed(request: Request, error: errors.FpmatchError) -> JSONResponse:
        status = next(code for kind, code in STATUS if isinstance(error, kind))
        # What goes wrong in here is for the log of this process, not for who asked.
        said = "the service failed" if status == 500 else str(error)
        return JSONResponse({"error": type(error).__name__, "message": said}, status)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        # Where and what, without what was sent: pictures are in it.
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        return JSONResponse({"error": "InputError", "message": "; ".join(faults)}, 422)

    @app.middleware("http")
    async def not_too_large(
        request: Request, answer: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        length = request.headers.get("content-length", "")
        if request.method in ("POST", "PUT") and not length.isdecimal():
            return JSONResponse({"message": "say the content-length"}, 411)
        if length and int(length) > LARGEST_BODY:
            return JSONResponse({"message": "the request is too large"}, 413)
        return await answer(request)

    @app.get("/health")
    def health() -> dict[str, bool]:
        return {"ready": True, "writes": write}

    # Plain functions run in threads: a search does not keep others from being taken in.
    @app.post("/search")
    def search(submission: Submission, caller: Known) -> Response:
        response = app.state.engine.search(
            fp.SearchRequest(
                [finger.template() for finger in submission.fingers],
                caller.booking_ori,
                chain=caller.chain,
                role=caller.role,
                transaction=submission.transaction,
                tcn=submission.tcn,
                partitions=submission.partitions,
                charge=submission.charge,
                max_candidates=submission.max_candidates,
            )
        )
        return Response(response.to_bytes(), media_type="application/json")

    if write:

        @app.put("/partitions/{partition}/records/{record}")
        def enrol(
            partition: str, record: str, enrolment: Enrolment, caller: Known
        ) -> dict[str, int]:
            if partition not in caller.enrols:
                raise HTTPException(403, "not for this caller")
            fingers = [finger.template() for finger in enrolment.fingers]
            report = app.state.engine.enrol(
                partition,
                [fp.Record(record, fingers, event=enrolment.event, contributor=caller.booking_ori)],
            )
            if report.errors:
                raise errors.InputError(report.errors[0].message)
            return {"fingers_added": report.fingers, "to_look_at": len(report.flags)}

    return app


def from_environment() -> FastAPI:
    """The service as each process of `main` makes it."""
    return make_app(
        os.environ["GALLERY"], os.environ["CALLERS"], write=os.environ["MAY_WRITE"] == "yes"
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("gallery")
    parser.add_argument("--callers", required=True, help="TOML file: tokens and their agencies")
    parser.add_argument("--write", action="store_true", help="enrol too; one process may")
    parser.add_argument("--workers", type=int, default=1, help="processes that search")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free")
    options = parser.parse_args()
    if options.write and options.workers != 1:
        parser.error("one process writes: --write goes with one worker")
    try:  # what is wrong is said once and before anything starts, not by each process
        read_callers(options.callers)
        with fp.Engine.open(options.gallery):
            pass
    except (errors.FpmatchError, OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"{type(error).__name__}: {error}")
    os.environ["GALLERY"] = options.gallery
    os.environ["CALLERS"] = options.callers
    os.environ["MAY_WRITE"] = "yes" if options.write else "no"
    uvicorn.run(
        "web_service:from_environment",
        factory=True,
        app_dir=str(Path(__file__).parent),
        host=options.host,
        port=options.port,
        workers=options.workers,
    )


if __name__ == "__main__":
    main()
