"""What the drill of the alerts does to the stage: long troubles of stores, workers and clients.

Each is a context manager: the trouble lasts from its entry to its exit.
"""

import http.client
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from signal import SIGCONT, SIGSTOP
from urllib.parse import urlsplit

import redis
from rq import Queue
from rq.serializers import JSONSerializer

from drill.faults.fault import NoEffectError
from drill.load.connection import ApiConnection
from drill.load.shared_state import SharedState
from drill.stage.stage import DrillStage
from drill.support.push_service import Behaviour
from drill.support.retrying import retry
from graph.events import Event

ANSWER_SECONDS = 5.0
WAITING = 20
"""Events that wait for their time, one of which is put into quarantine."""
EVENT_SECONDS, POLL_SECONDS = 120.0, 0.5
JOIN_SECONDS = 30.0
FORGED_TOKEN = "pf_" + "A" * 60
WRONG_PASSWORD = "wrong horse battery staple"  # noqa: S105 - of nobody
FOREIGN_FUNCTION = "builtins.print"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a trouble acts on."""

    stage: DrillStage
    state: SharedState


Trouble = Callable[[Scene], AbstractContextManager[None]]
Act = Callable[[Scene, int], None]
"""One action of a trouble; the number counts them."""


@contextmanager
def nothing(_scene: Scene) -> Iterator[None]:
    """No trouble."""
    yield


def frozen(names: Sequence[str]) -> Trouble:
    """Stop processes by SIGSTOP."""

    @contextmanager
    def trouble(scene: Scene) -> Iterator[None]:
        pids = [pid for name in names for pid in scene.stage.signal(name, SIGSTOP)]
        try:
            yield
        finally:
            for pid in pids:
                scene.stage.signal_pid(pid, SIGCONT)

    return trouble


def stuttering(names: Sequence[str], *, stopped: float, running: float) -> Trouble:
    """Stop processes for so many seconds and let them run for so many, in turns."""

    @contextmanager
    def trouble(scene: Scene) -> Iterator[None]:
        def act(scene: Scene, _number: int) -> None:
            with frozen(names)(scene):
                over.wait(stopped)

        over = threading.Event()
        with _repeating(scene, act, every=running, over=over):
            yield

    return trouble


def away(store: str, names: Sequence[str] = ()) -> Trouble:
    """Cut a store off from the named processes, or from all."""

    @contextmanager
    def trouble(scene: Scene) -> Iterator[None]:
        stage = scene.stage
        proxies = [stage.proxies[name, store] for name in names or stage.process_names]
        for proxy in proxies:
            proxy.down()
        try:
            yield
        finally:
            for proxy in proxies:
                proxy.resume()

    return trouble


def refusing(status: HTTPStatus) -> Trouble:
    """Let the push service refuse each message with a status."""

    @contextmanager
    def trouble(scene: Scene) -> Iterator[None]:
        scene.stage.push.misbehave(Behaviour(status=status, headers={"Retry-After": "3"}))
        try:
            yield
        finally:
            scene.stage.push.recover()

    return trouble


def repeated(act: Act, *, every: float) -> Trouble:
    """Do something every so many seconds."""

    @contextmanager
    def trouble(scene: Scene) -> Iterator[None]:
        with _repeating(scene, act, every=every, over=threading.Event()):
            yield

    return trouble


@contextmanager
def quarantine(scene: Scene) -> Iterator[None]:
    """Put an event into quarantine, as an operator may, and requeue it at the end.

    Raises NoEffectError if none waits for EVENT_SECONDS: each unfollow makes one.
    """
    events = scene.stage.graph.events

    def hold_one() -> Event:
        waiting = (status.event.id for status in events.by_state("waiting", WAITING))
        event = next((held for id_ in waiting if (held := events.quarantine(id_))), None)
        if event is None:
            raise NoEffectError("no event waits that could be put into quarantine")
        return event

    event = retry(hold_one, on=NoEffectError, seconds=EVENT_SECONDS, every=POLL_SECONDS)
    try:
        yield
    finally:
        events.requeue(event.id)


def guess_passwords(scene: Scene, number: int) -> None:
    """Sign in with a wrong password."""
    user = scene.state.users[number % len(scene.state.users)]
    account = {"username": user.name, "password": WRONG_PASSWORD}
    _connection(scene).request("POST", "/v1/sessions", body=account)


def forge_tokens(scene: Scene, _number: int) -> None:
    """Send a token that nobody has signed."""
    _connection(scene).request("GET", "/v1/me", token=FORGED_TOKEN)


def open_stream(scene: Scene, number: int) -> None:
    """Open a live stream. It is refused while its process cannot serve it."""
    user = scene.state.users[number % len(scene.state.users)]
    url = urlsplit(scene.stage.api_urls[0])
    connection = http.client.HTTPConnection(url.netloc, timeout=ANSWER_SECONDS)
    with suppress(OSError, http.client.HTTPException):
        headers = {"Authorization": f"Bearer {user.watching_token}"}
        connection.request("GET", "/v1/live", headers=headers)
        connection.getresponse()
    connection.close()


def guess_admin_password(scene: Scene, number: int) -> None:
    """Try a password at the admin app, each time from another network."""
    source = (f"127.0.{1 + number // 250 % 250}.{1 + number % 250}", 0)
    url = urlsplit(scene.stage.admin_url)
    connection = http.client.HTTPConnection(
        url.netloc, timeout=ANSWER_SECONDS, source_address=source
    )
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/", headers={"Authorization": "Basic YWRtaW46d3Jvbmc="})
        connection.getresponse()
    connection.close()


def enqueue_foreign_job(scene: Scene, _number: int) -> None:
    """Put a job into a queue that names another function than ours."""
    client = scene.stage.storage.queue.client
    with suppress(redis.RedisError):
        queue = Queue("removal", connection=client, serializer=JSONSerializer)
        queue.enqueue(FOREIGN_FUNCTION, "not ours")


@contextmanager
def _repeating(scene: Scene, act: Act, *, every: float, over: threading.Event) -> Iterator[None]:
    """Call `act` in a thread, with a pause of `every` seconds, until the exit."""

    def run() -> None:
        for number in itertools.count():
            if over.wait(every):
                return
            act(scene, number)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(JOIN_SECONDS)


def _connection(scene: Scene) -> ApiConnection:
    return ApiConnection(scene.stage.api_urls[0])
