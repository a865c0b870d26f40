"""Look-ups: two at once for a service, in turn, and what does not exist is refused."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from drill.support.push_service import Browser, PushService, push_service
from tests.support.vapid import settings_for
from workers.notices.push import resolving, sender
from workers.notices.push.messages import Message, Outcome, Payload, Result
from workers.notices.push.origins import FAILURES_TO_OPEN
from workers.notices.push.resolving import LOOKUPS_AT_ONCE, CheckedResolver
from workers.notices.push.sender import PushSender

PAYLOAD = Payload(
    kind="new-photos", title="Photofeed", body="Ana posted a photo", url="/", tag="feed", unread=3
)


class SlowNames:
    """DNS that answers nothing for the labels of Microsoft until `answer` is set."""

    def __init__(self) -> None:
        self.answer = threading.Event()
        self.waiting: set[str] = set()

    def look_up(self, host: str, port: int) -> list[str]:
        assert port
        if host.endswith("notify.windows.com"):
            self.waiting.add(host)
            assert self.answer.wait(60)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ["127.0.0.1"]


@pytest.fixture
def names() -> Iterator[SlowNames]:
    names = SlowNames()
    yield names
    names.answer.set()


@pytest.fixture
def service() -> Iterator[PushService]:
    with push_service() as service:
        yield service


def message_to(browser: Browser) -> Message:
    return Message(subscription=browser.subscription(), payload=PAYLOAD, ttl_seconds=600)


def messages_to_labels(count: int) -> list[Message]:
    """Messages to labels of Microsoft that nobody has given out."""
    return [
        message_to(Browser(f"https://zzz{number}.notify.windows.com")) for number in range(count)
    ]


async def wait_until_waiting(names: SlowNames) -> None:
    """Return when DNS has been asked. The test's time limit ends a wait for ever."""
    while not names.waiting:  # noqa: ASYNC110 - another thread makes it true
        await asyncio.sleep(0.01)


def test_the_labels_of_one_vendor_do_not_delay_the_look_ups_of_another_service(
    service: PushService, names: SlowNames
) -> None:
    trusted = f"http://push.test:{service.port}"
    settings = settings_for(service, origins=frozenset({trusted}))

    async def run() -> list[Outcome]:
        resolver = CheckedResolver(settings.origins, lookup=names.look_up)
        async with PushSender(settings, resolver=resolver) as push:
            held = asyncio.create_task(push.send(messages_to_labels(40)))
            await wait_until_waiting(names)
            outcomes = await push.send([message_to(service.browser(trusted)) for _ in range(3)])
            assert len(names.waiting) <= LOOKUPS_AT_ONCE
            names.answer.set()
            await held
            return outcomes

    assert {outcome.result for outcome in asyncio.run(run())} == {Result.DELIVERED}


def test_a_wait_for_a_look_up_is_no_failure_of_the_service(
    service: PushService, names: SlowNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(resolving, "LOOKUP_WAIT_SECONDS", 1.0)

    async def run() -> tuple[list[Outcome], list[bool]]:
        resolver = CheckedResolver(lookup=names.look_up)
        async with PushSender(settings_for(service), resolver=resolver) as push:
            blocking = asyncio.create_task(push.send(messages_to_labels(LOOKUPS_AT_ONCE)))
            while len(names.waiting) < LOOKUPS_AT_ONCE:  # noqa: ASYNC110 - threads make it true
                await asyncio.sleep(0.01)
            real = "https://wns2-par02p.notify.windows.com"
            origin = push._origins.use(real, "microsoft")
            waiting = [message_to(Browser(real)) for _ in range(FAILURES_TO_OPEN + 1)]
            outcomes = await push.send(waiting)
            names.answer.set()
            await blocking
            return outcomes, [origin.circuit.is_open]

    outcomes, is_open = asyncio.run(run())
    assert {outcome.result for outcome in outcomes} == {Result.LATER}
    assert is_open == [False], "a wait in our own queue opened the circuit"


def test_a_look_up_that_does_not_end_is_a_failure_of_the_service(
    service: PushService, names: SlowNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "REQUEST_SECONDS", 0.1)

    async def run() -> list[Outcome]:
        resolver = CheckedResolver(lookup=names.look_up)
        async with PushSender(settings_for(service), resolver=resolver) as push:
            return await push.send(messages_to_labels(1))

    [outcome] = asyncio.run(run())
    assert (outcome.result, outcome.tries) == (Result.LATER, 1)


@pytest.mark.parametrize("code", ["EAI_NONAME", "EAI_NODATA"])
def test_a_name_that_does_not_exist_is_refused(service: PushService, code: str) -> None:
    assert outcome_of(service, code).result == Result.REFUSED


def test_a_name_without_an_address_is_refused(service: PushService) -> None:
    async def run() -> list[Outcome]:
        resolver = CheckedResolver(lookup=lambda _host, _port: [])
        async with PushSender(settings_for(service), resolver=resolver) as push:
            return await push.send(messages_to_labels(1))

    [outcome] = asyncio.run(run())
    assert outcome.result == Result.REFUSED


@pytest.mark.parametrize("code", ["EAI_AGAIN", "EAI_FAIL"])
def test_a_name_is_tried_later_while_dns_does_not_work(service: PushService, code: str) -> None:
    assert outcome_of(service, code).result == Result.LATER


def outcome_of(service: PushService, code: str) -> Outcome:
    """The outcome of a message to a name for which DNS returns this error."""

    def look_up(host: str, port: int) -> list[str]:
        raise socket.gaierror(getattr(socket, code), f"{host}:{port}")

    async def run() -> list[Outcome]:
        resolver = CheckedResolver(lookup=look_up)
        async with PushSender(settings_for(service), resolver=resolver) as push:
            return await push.send(messages_to_labels(1))

    [outcome] = asyncio.run(run())
    return outcome
