"""Flask behind the event loop: whole requests go to 8 threads, whole responses come back.

One hop there and one back. An adapter that streams answers half to a third of the requests a second
(docs/decisions/0015).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from api.http.idempotency import line_of
from api.http.load_shedding import (
    BUSY_QUEUE,
    BUSY_SECONDS,
    CONCURRENCY,
    PROBES,
    WAIT_SECONDS,
)
from api.http.observing import choose_request_id
from api.http.parsing import MAX_BODY_BYTES
from api.http.plain_problems import PlainProblem, key_in_flight, overloaded, plain_problem
from api.http.problems import INTERNAL_ERROR
from api.loop.key_lines import KeyInFlightError, KeyLines
from api.loop.messages import (
    Answer,
    BrokenBodyError,
    Receive,
    Scope,
    Send,
    SlowBodyError,
    WsgiApp,
    call_wsgi,
    environ_of,
    read_body,
    send_answer,
)
from api.loop.threads import BoundedThreads, OverloadedError

R = TypeVar("R")

log = structlog.get_logger()

BODY_SECONDS = 20.0
"""How long a body may take to arrive. It needs no thread meanwhile."""

PROBE_THREADS = 2
"""Threads of each probe. Probes must be answered while all other threads are busy, and `/livez`
while `/readyz` waits for stores."""

MAX_PROBES = 8
"""Requests of one probe at a time. A further one is refused."""


class FlaskAdapter:
    """An ASGI application that runs a WSGI application in threads. Sheds load."""

    def __init__(
        self,
        app: WsgiApp,
        *,
        threads: int = CONCURRENCY,
        count: Callable[[str, int], None] = lambda _method, _status: None,
    ) -> None:
        """`count` gets the method and status of what is answered without the application."""
        self._app = app
        self._count = count
        self._threads = BoundedThreads(
            threads,
            name="flask",
            wait_seconds=WAIT_SECONDS,
            busy_seconds=BUSY_SECONDS,
            busy_line=BUSY_QUEUE,
        )
        self._lines = KeyLines()
        self._probes = {path: _Probe(path) for path in PROBES}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request by the WSGI application."""
        try:
            body = await _body_of(scope, receive)
        except (BrokenBodyError, SlowBodyError) as error:
            problem = _slow_body() if isinstance(error, SlowBodyError) else _broken_body()
            self._count(scope["method"], problem.status)
            await send_answer(send, answer_of(problem))
            return
        await send_answer(send, await self.answer(environ_of(scope, body)))

    async def answer(self, environ: dict[str, Any]) -> Answer:
        """The application's response, or 503 if every thread is busy.

        409 if another request with the same Idempotency-Key is in progress for too long.
        """
        try:
            if probe := self._probes.get(environ["PATH_INFO"]):
                return await probe.run(lambda: self.call(environ))
            if line := line_of(environ):
                return await self._lines.run(line, lambda: self.run(lambda: self.call(environ)))
            return await self.run(lambda: self.call(environ))
        except OverloadedError:
            return self._refuse(environ, overloaded())
        except KeyInFlightError:
            return self._refuse(environ, key_in_flight())
        except Exception:  # the application answers its own bugs: this is one of its surroundings
            request_id = choose_request_id(environ.get("HTTP_X_REQUEST_ID", ""))
            log.exception("application failed", request_id=request_id)
            self._count(environ["REQUEST_METHOD"], 500)
            problem = plain_problem(500, "internal-error", INTERNAL_ERROR, request_id=request_id)
            return answer_of(problem)

    def _refuse(self, environ: dict[str, Any], problem: PlainProblem) -> Answer:
        """The problem as a response, counted."""
        self._count(environ["REQUEST_METHOD"], problem.status)
        return answer_of(problem)

    async def run(self, work: Callable[[], R]) -> R:
        """The result of a function that blocks, run in a thread. Raises OverloadedError."""
        return await self._threads.run(work)

    def call(self, environ: dict[str, Any]) -> Answer:
        """The application's response; blocks."""
        return call_wsgi(self._app, environ)

    def close(self) -> None:
        """Wait for the threads."""
        self._threads.close()
        for probe in self._probes.values():
            probe.executor.shutdown(wait=False)


class _Probe:
    """The threads of one probe, and the requests that wait for them."""

    def __init__(self, path: str) -> None:
        self.executor = ThreadPoolExecutor(PROBE_THREADS, thread_name_prefix=path)
        self._requests = 0

    async def run(self, work: Callable[[], R]) -> R:
        """The result of the probe. Raises OverloadedError."""
        if self._requests >= MAX_PROBES:
            raise OverloadedError
        self._requests += 1
        result = asyncio.get_running_loop().run_in_executor(self.executor, work)
        result.add_done_callback(self._end)
        return await asyncio.shield(result)

    def _end(self, _: object) -> None:
        self._requests -= 1


async def _body_of(scope: Scope, receive: Receive) -> bytes:
    """The body; b"" if there is none, or if its declared length is above the limit.

    A body that is not read is refused by the application; the server then closes the connection.
    """
    length = next((value for name, value in scope["headers"] if name == b"content-length"), None)
    if length is not None and (not length.isdigit() or int(length) > MAX_BODY_BYTES):
        return b""
    if length is None and not any(name == b"transfer-encoding" for name, _ in scope["headers"]):
        return b""
    return await read_body(receive, most_bytes=MAX_BODY_BYTES, seconds=BODY_SECONDS)


def answer_of(problem: PlainProblem) -> Answer:
    """The problem as a response of the loop."""
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    return Answer(problem.status, headers, problem.body)


def _broken_body() -> PlainProblem:
    """The response to a body that ends too early, or has wrong or too many chunks.

    granian answers 500 for an application that does not answer.
    """
    return plain_problem(
        400,
        "bad-request",
        "The body is incomplete, its chunks are malformed, or it has too many of them.",
        headers={"Connection": "close"},
    )


def _slow_body() -> PlainProblem:
    return plain_problem(
        408,
        "request-timeout",
        f"The body did not arrive within {BODY_SECONDS:.0f} s.",
        headers={"Connection": "close"},
    )
