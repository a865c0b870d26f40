"""The sender's sockets are bounded, idle ones too."""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from drill.support.push_service import Browser, push_service
from tests.support.vapid import settings_for
from tests.workers.notices.push.test_resolving import message_to
from web_push.endpoints import SERVICES
from workers.notices.push import connecting, sender
from workers.notices.push.connecting import MOST_IDLE
from workers.notices.push.messages import Outcome, Result
from workers.notices.push.origins import CONCURRENT, CONCURRENT_OF_SERVICE
from workers.notices.push.sender import PushSender

USUAL_NOFILE = 1_024
"""The usual soft limit of a process on its file descriptors."""


def test_all_services_together_have_fewer_sockets_than_a_process_may_open() -> None:
    assert len(SERVICES) * (CONCURRENT_OF_SERVICE + MOST_IDLE) <= USUAL_NOFILE - 200
    assert CONCURRENT <= CONCURRENT_OF_SERVICE


def test_idle_connections_to_all_origins_of_a_service_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connecting, "MOST_IDLE", 3)

    async def run() -> None:
        with push_service() as one, push_service() as other:
            async with PushSender(settings_for(one, other)) as push:
                messages = [message_to(s.browser()) for s in (one, other) for _ in range(10)]
                await push.send(messages)
                assert one.connections + other.connections > 3
                assert push._session
                connector = push._session.connector
                assert connector
                assert sum(len(idle) for idle in connector._conns.values()) == 3

    asyncio.run(run())


def test_a_response_that_does_not_end_counts_by_its_status_and_its_connection_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender, "REQUEST_SECONDS", 0.3)

    async def run() -> tuple[Outcome, bytes]:
        closed: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nbegun")
            closed.set_result(await reader.read())
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            settings = replace(settings_for(), origins=frozenset({origin}))
            async with PushSender(settings) as push:
                [outcome] = await push.send([message_to(Browser(origin))])
                return outcome, await closed

    outcome, _body = asyncio.run(run())
    assert outcome == Outcome(result=Result.DELIVERED, tries=1)


INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000


# Security 20
def test_an_answer_that_never_begins_is_cut_off_after_a_bounded_number_of_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender, "REQUEST_SECONDS", 40.0)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(INTERIM)
                await writer.drain()
        writer.close()

    async def run() -> list[Outcome]:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            settings = replace(settings_for(), origins=frozenset({origin}))
            async with PushSender(settings) as push:
                return await push.send([message_to(Browser(origin))])

    began = time.monotonic()
    [outcome] = asyncio.run(run())
    assert outcome.result == Result.LATER
    assert time.monotonic() - began < 20, "only the time limit has ended it"


def test_the_bytes_of_each_answer_on_a_connection_count_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connecting, "MOST_RECEIVED", 600)

    async def run() -> list[Outcome]:
        with push_service() as service:
            service.answer(*[201] * 5, body_bytes=300)
            async with PushSender(settings_for(service)) as push:
                outcomes = [(await push.send([message_to(service.browser())]))[0] for _ in range(5)]
            assert service.connections == 1
            return outcomes

    assert [outcome.result for outcome in asyncio.run(run())] == [Result.DELIVERED] * 5
