"""What the sender remembers of many origins, and the turns that origins of one service share."""

import asyncio

import pytest

from drill.support.push_service import push_service
from tests.support.vapid import settings_for
from tests.workers.notices.push.test_resolving import message_to
from workers.notices.push import origins
from workers.notices.push.messages import Outcome, Result
from workers.notices.push.origins import FAILURES_TO_OPEN, Origins
from workers.notices.push.sender import PushSender


def open_circuit(many: Origins, url: str) -> None:
    origin = many.use(url, "microsoft")
    for _ in range(FAILURES_TO_OPEN):
        origin.circuit.record_failure(0.0)
    many.release(origin)


def is_open(many: Origins, url: str) -> bool:
    origin = many.use(url, "microsoft")
    try:
        return origin.circuit.is_open
    finally:
        many.release(origin)


@pytest.mark.parametrize("at_once", [False, True])
def test_many_labels_do_not_push_out_an_open_circuit(
    monkeypatch: pytest.MonkeyPatch, *, at_once: bool
) -> None:
    monkeypatch.setattr(origins, "MOST_ORIGINS", 10)
    many = Origins(lambda: 0.0)
    open_circuit(many, "https://away.notify.windows.com")
    labels = [f"https://zzz{number}.notify.windows.com" for number in range(50)]
    if at_once:
        for used in [many.use(label, "microsoft") for label in labels]:
            many.release(used)
    else:
        for label in labels:
            many.release(many.use(label, "microsoft"))
    assert is_open(many, "https://away.notify.windows.com")
    assert len(many) <= 10 + 1


def test_the_number_of_open_circuits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "MOST_ORIGINS", 10)
    many = Origins(lambda: 0.0)
    for number in range(30):
        open_circuit(many, f"https://zzz{number}.notify.windows.com")
    assert len(many) == 10
    assert is_open(many, "https://zzz29.notify.windows.com")
    assert not is_open(many, "https://zzz0.notify.windows.com")


def test_the_origins_of_a_service_share_its_turns_and_others_have_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(origins, "CONCURRENT_OF_SERVICE", 2)

    async def run() -> None:
        many = Origins(lambda: 0.0)
        first, second = (many.use(f"https://{n}.push.apple.com", "apple") for n in range(2))
        other = many.use("https://fcm.googleapis.com", "google")
        async with first.turn(), second.turn():
            third = asyncio.create_task(second.turn().__aenter__())
            async with other.turn():
                assert not third.done()
        await third

    asyncio.run(run())


@pytest.mark.parametrize("bound", ["CONCURRENT", "CONCURRENT_OF_SERVICE"])
def test_a_message_without_a_turn_is_held_back_and_not_sent(
    monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(origins, "TURN_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(origins, bound, 1)

    async def run() -> list[Outcome]:
        with push_service() as service:
            async with PushSender(settings_for(service)) as push:
                origin = push._origins.use(service.origin, "other")
                async with origin.turn():
                    outcomes = await push.send([message_to(service.browser())])
                assert service.connections == 0
                return outcomes

    [outcome] = asyncio.run(run())
    assert (outcome.result, outcome.tries) == (Result.LATER, 1)
    assert outcome.pause_seconds > 0
