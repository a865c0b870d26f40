"""The sender against a push service of ours, over real sockets."""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from drill.support.push_service import CLOSE, HANG, Browser, PushService, push_service
from observing import metrics
from tests.support.vapid import settings_for
from web_push.settings import WebPushSettings
from workers.notices.push import origins, sender
from workers.notices.push.messages import Message, Outcome, Payload, Result
from workers.notices.push.origins import CONCURRENT, FAILURES_TO_OPEN, OPEN_SECONDS, Origins
from workers.notices.push.resolving import CheckedResolver
from workers.notices.push.retrying import FIRST_PAUSE_SECONDS, MAX_TRIES, PAUSE_FACTOR
from workers.notices.push.sender import PushSender

PAYLOAD = Payload(
    kind="new-photos", title="Photofeed", body="Ana posted a photo", url="/", tag="feed", unread=3
)


@pytest.fixture
def service() -> Iterator[PushService]:
    with push_service() as service:
        yield service


def message_to(browser: Browser, **changes: Any) -> Message:
    fields: dict[str, Any] = {
        "subscription": browser.subscription(),
        "payload": PAYLOAD,
        "ttl_seconds": 600,
    }
    return Message(**fields | changes)


def send(
    settings: WebPushSettings, *messages: Message, resolver: CheckedResolver | None = None
) -> list[Outcome]:
    """Send them at once by a sender of their own."""

    async def run() -> list[Outcome]:
        async with PushSender(settings, resolver=resolver) as push:
            return await push.send(messages)

    return asyncio.run(run())


def send_one(service: PushService, **changes: Any) -> Outcome:
    [outcome] = send(settings_for(service), message_to(service.browser(), **changes))
    return outcome


def shorten_requests(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.5) -> None:
    monkeypatch.setattr(sender, "REQUEST_SECONDS", seconds)


def count_of(outcome: str, service: str = "other") -> float:
    return float(metrics.NOTICES.labels(outcome=outcome, service=service)._value.get())


def open_circuits() -> float:
    return float(metrics.PUSH_CIRCUITS_OPEN.labels(service="other")._value.get())


def test_a_browser_can_decrypt_what_was_sent(service: PushService) -> None:
    before = count_of("delivered")
    assert send_one(service) == Outcome(result=Result.DELIVERED, tries=1)
    assert service.refusals == []
    [payload] = service.payloads
    assert payload["body"] == "Ana posted a photo"
    assert payload["unread"] == 3
    assert count_of("delivered") == before + 1


def test_ttl_urgency_and_topic_are_headers(service: PushService) -> None:
    send_one(service, ttl_seconds=7_200, urgency="high", topic="feed-7")
    send_one(service)
    first, second = (one.headers for one in service.received)
    assert (first["ttl"], first["urgency"], first["topic"]) == ("7200", "high", "feed-7")
    assert (second["ttl"], second["urgency"]) == ("600", "normal")
    assert "topic" not in second


def test_the_headers_tell_nothing_about_user_or_text(service: PushService) -> None:
    send_one(service)
    [received] = service.received
    assert set(received.headers) <= {
        "accept", "accept-encoding", "authorization", "content-encoding", "content-length",
        "content-type", "host", "ttl", "urgency", "user-agent",
    }  # fmt: skip
    assert received.headers["user-agent"] == "photofeed"


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, Result.DELIVERED),
        (201, Result.DELIVERED),
        (202, Result.DELIVERED),
        (204, Result.DELIVERED),
        (404, Result.GONE),
        (410, Result.GONE),
        (400, Result.REFUSED),
        (401, Result.REFUSED),
        (403, Result.REFUSED),
        (413, Result.REFUSED),
        (304, Result.REFUSED),
        (408, Result.LATER),
        (429, Result.LATER),
        (500, Result.LATER),
        (503, Result.LATER),
        (CLOSE, Result.LATER),
    ],
)
def test_an_answer_decides_what_becomes_of_a_message(
    service: PushService, status: int | str, result: Result
) -> None:
    service.answer(status)
    outcome = send_one(service)
    assert (outcome.result, outcome.tries) == (result, 1)
    assert (outcome.pause_seconds > 0) == (result == Result.LATER)
    assert len(service.received) == 1


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("as_date", [False, True])
def test_a_retry_after_is_obeyed(service: PushService, status: int, *, as_date: bool) -> None:
    value = formatdate(time.time() + 300, usegmt=True) if as_date else "300"
    service.answer(status, headers={"Retry-After": value})
    assert 290 <= send_one(service).pause_seconds <= 450


def test_a_message_is_tried_five_times(service: PushService) -> None:
    service.default = replace(service.default, status=500)
    message = message_to(service.browser())
    settings = settings_for(service)
    outcome = Outcome(result=Result.LATER, tries=0)
    while outcome.result == Result.LATER:
        [outcome] = send(settings, replace(message, tries=outcome.tries))
    assert outcome == Outcome(result=Result.EXHAUSTED, tries=MAX_TRIES)
    assert len(service.received) == MAX_TRIES == 5


# Security 20
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(service: PushService, status: int) -> None:
    with push_service() as other:
        service.answer(status, headers={"Location": other.browser().endpoint})
        [outcome] = send(settings_for(service, other), message_to(service.browser()))
        assert outcome.result == Result.REFUSED
        assert other.connections == 0


def test_a_hanging_service_is_left_after_the_time_limit(
    service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sender.REQUEST_SECONDS == 5
    shorten_requests(monkeypatch)
    service.answer(HANG)
    assert send_one(service).result == Result.LATER


def test_a_huge_response_is_not_read(service: PushService) -> None:
    service.answer(201, body_bytes=20_000_000)
    assert send_one(service).result == Result.DELIVERED
    assert service.body_bytes < 20_000_000


def test_a_short_response_keeps_its_connection(service: PushService) -> None:
    async def run() -> None:
        async with PushSender(settings_for(service)) as push:
            for body_bytes in (0, 5_000, 0):
                service.answer(201, body_bytes=body_bytes)
                await push.send([message_to(service.browser())])

    asyncio.run(run())
    assert len(service.received) == 3
    assert service.connections == 1


def test_a_token_is_signed_once_for_a_service(
    service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with push_service() as other:
        messages = [message_to(one.browser()) for one in (service, other) for _ in range(4)]
        send(settings_for(service, other), *messages)
        tokens = [{one.headers["authorization"] for one in s.received} for s in (service, other)]
    assert [len(of_service) for of_service in tokens] == [1, 1]
    assert not tokens[0] & tokens[1]
    monkeypatch.setattr(sender, "RENEW_SECONDS", -1)
    monkeypatch.setattr(origins, "CONCURRENT", 1)
    service.received.clear()
    send(settings_for(service), *(message_to(service.browser()) for _ in range(3)))
    assert len({one.headers["authorization"] for one in service.received}) == 3


async def wait_for(condition: Callable[[], bool]) -> None:
    """Return when it is true. The test's time limit ends a wait for ever."""
    while not condition():  # noqa: ASYNC110 - another thread makes it true
        await asyncio.sleep(0.01)


def test_a_service_that_hangs_does_not_slow_down_another(
    service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_requests(monkeypatch, 60)
    service.default = replace(service.default, status=HANG)

    async def run(healthy: PushService) -> list[Outcome]:
        hanging = [message_to(service.browser()) for _ in range(3 * CONCURRENT)]
        others = [message_to(healthy.browser()) for _ in range(50)]
        async with PushSender(settings_for(service, healthy)) as push:
            sending = asyncio.create_task(push.send([*hanging, *others]))
            await wait_for(lambda: len(healthy.received) == 50)
            await wait_for(lambda: service.in_flight == CONCURRENT)
            assert not sending.done()
            service.release(CLOSE)
            return await sending

    with push_service() as healthy:
        outcomes = asyncio.run(run(healthy))
    assert [outcome.result for outcome in outcomes[-50:]] == [Result.DELIVERED] * 50
    assert {outcome.result for outcome in outcomes[:-50]} == {Result.LATER}
    assert {outcome.tries for outcome in outcomes[:-50]} == {1}
    asked = len(service.received)
    assert CONCURRENT <= asked < CONCURRENT + FAILURES_TO_OPEN, "the circuit held none back"


def test_a_service_gets_a_bounded_number_of_requests_at_once(
    service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_requests(monkeypatch, 60)
    service.default = replace(service.default, status=HANG)

    async def run() -> list[Outcome]:
        messages = [message_to(service.browser()) for _ in range(2 * CONCURRENT + 10)]
        async with PushSender(settings_for(service)) as push:
            sending = asyncio.create_task(push.send(messages))
            await wait_for(lambda: service.in_flight >= CONCURRENT)
            service.release(201)
            return await sending

    assert {outcome.result for outcome in asyncio.run(run())} == {Result.DELIVERED}
    assert service.most_in_flight == CONCURRENT


def test_a_circuit_holds_back_probes_and_closes(
    service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origins, "CONCURRENT", 1)
    clock = [1_000.0]
    before = open_circuits()

    async def run() -> None:
        async with PushSender(settings_for(service), clock=lambda: clock[0]) as push:

            async def results(count: int) -> list[Result]:
                sent = await push.send([message_to(service.browser()) for _ in range(count)])
                return [outcome.result for outcome in sent]

            service.default = replace(service.default, status=500)
            assert await results(FAILURES_TO_OPEN + 3) == [Result.LATER] * (FAILURES_TO_OPEN + 3)
            assert len(service.received) == FAILURES_TO_OPEN
            assert open_circuits() == before + 1
            clock[0] += OPEN_SECONDS - 1
            await results(3)
            assert len(service.received) == FAILURES_TO_OPEN
            clock[0] += 1
            await results(3)
            assert len(service.received) == FAILURES_TO_OPEN + 1, "one probe"
            clock[0] += OPEN_SECONDS
            service.default = replace(service.default, status=201)
            assert await results(3) == [Result.DELIVERED] * 3
            assert open_circuits() == before

    asyncio.run(run())


def test_a_message_that_was_held_back_counts_as_tried_and_waits_as_long(
    service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origins, "CONCURRENT", 1)
    service.default = replace(service.default, status=503)
    held = count_of("held")
    outcomes = send(
        settings_for(service),
        *(message_to(service.browser(), tries=2) for _ in range(FAILURES_TO_OPEN + 1)),
    )
    assert [outcome.tries for outcome in outcomes] == [3] * (FAILURES_TO_OPEN + 1)
    assert count_of("held") == held + 1
    assert outcomes[-1].pause_seconds > FIRST_PAUSE_SECONDS * PAUSE_FACTOR


def test_a_refusal_or_a_gone_subscription_opens_no_circuit(
    service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origins, "CONCURRENT", 1)
    service.answer(*[410, 400, 429, 404] * 4)
    outcomes = send(settings_for(service), *(message_to(service.browser()) for _ in range(17)))
    assert outcomes[-1].result == Result.DELIVERED


def test_the_number_of_origins_is_bounded_and_idle_ones_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(origins, "MOST_ORIGINS", 3)
    clock = [0.0]
    before = open_circuits()
    many = Origins(lambda: clock[0])
    used = [many.use(f"https://{number}.test", "other") for number in range(5)]
    assert len(many) == 5, "none is idle"
    for _ in range(FAILURES_TO_OPEN):
        used[0].circuit.record_failure(clock[0])
    assert open_circuits() == before + 1
    for origin in used:
        many.release(origin)
    assert len(many) == 3 + 1
    assert open_circuits() == before + 1, "an open circuit was forgotten before closed ones"
    clock[0] += origins.IDLE_SECONDS + 1
    many.release(many.use("https://new.test", "other"))
    assert len(many) == 1
    assert open_circuits() == before


@pytest.mark.parametrize("proxy_variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_no_proxy_of_the_environment_is_used(
    service: PushService, monkeypatch: pytest.MonkeyPatch, proxy_variable: str
) -> None:
    with push_service() as proxy:
        monkeypatch.setenv(proxy_variable, proxy.origin)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        assert send_one(service).result == Result.DELIVERED
        assert proxy.connections == 0


def test_an_endpoint_that_is_no_longer_allowed_is_refused(service: PushService) -> None:
    settings = replace(settings_for(service), origins=frozenset())
    [outcome] = send(settings, message_to(service.browser()))
    assert outcome == Outcome(result=Result.REFUSED, tries=0)
    assert service.connections == 0


def test_a_broken_key_refuses_its_message_alone(service: PushService) -> None:
    broken = service.browser().subscription(p256dh="A" * 87)
    outcomes = send(
        settings_for(service),
        message_to(service.browser()),
        message_to(service.browser(), subscription=broken),
        message_to(service.browser(), payload=replace(PAYLOAD, url="/" * 5_000)),
        message_to(service.browser()),
    )
    assert [outcome.result for outcome in outcomes] == [
        Result.DELIVERED,
        Result.REFUSED,
        Result.REFUSED,
        Result.DELIVERED,
    ]


# Security 25
def test_logs_have_no_endpoint_key_or_text(
    service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_requests(monkeypatch)
    service.answer(201, 410, 400, 429, 500, CLOSE, HANG, 302, *[500] * 5)
    browsers = [service.browser() for _ in range(14)]
    broken = browsers[0].subscription(p256dh="A" * 87)
    with structlog.testing.capture_logs() as logs:
        send(
            settings_for(service),
            *map(message_to, browsers),
            message_to(browsers[0], subscription=broken),
        )
    assert logs
    text = str(logs)
    for browser in browsers:
        for secret in (browser.endpoint, browser.endpoint.rsplit("/")[-1], browser.p256dh):
            assert secret not in text
    assert "Ana" not in text
    assert service.origin not in text


class Names:
    """A resolver of names whose answers change, as an attacker's DNS server's do."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def look_up(self, host: str, port: int) -> list[str]:
        assert port
        self.asked.append(host)
        if not self.answers:
            raise OSError("no such name")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


PUBLIC = "https://web.push.apple.com"


# Security 20
@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["8.8.8.8", "::1"]],
)
def test_a_name_with_an_address_that_is_not_global_is_refused(
    service: PushService, addresses: list[str]
) -> None:
    names = Names(addresses)
    settings = settings_for(service)
    [outcome] = send(
        settings,
        message_to(Browser(PUBLIC)),
        resolver=CheckedResolver(settings.origins, lookup=names.look_up),
    )
    assert outcome.result == Result.REFUSED
    assert names.asked == ["web.push.apple.com"]


def test_a_name_that_is_not_found_is_tried_later(service: PushService) -> None:
    settings = settings_for(service)
    [outcome] = send(
        settings,
        message_to(Browser(PUBLIC)),
        resolver=CheckedResolver(settings.origins, lookup=Names().look_up),
    )
    assert (outcome.result, outcome.tries) == (Result.LATER, 1)


# Security 20
def test_a_connection_goes_to_the_checked_address_and_a_new_one_is_checked_again() -> None:
    with push_service(host="127.0.0.2") as good, push_service(port=good.port) as private:
        name = f"http://push.test:{good.port}"
        settings = settings_for(good, origins=frozenset({name}))
        names = Names(["127.0.0.2"], ["127.0.0.1"])
        resolver = CheckedResolver(lookup=names.look_up, is_allowed="127.0.0.2".__eq__)

        async def run() -> list[Result]:
            async with PushSender(settings, resolver=resolver) as push:
                results = []
                for step in range(3):
                    [outcome] = await push.send([message_to(good.browser(name))])
                    results.append(outcome.result)
                    if step == 1:
                        good.drop_connections()
                        await asyncio.sleep(0.2)
                return results

        results = asyncio.run(run())
        assert results == [Result.DELIVERED, Result.DELIVERED, Result.REFUSED]
        assert len(names.asked) == 2, "the kept connection asked again"
        assert (good.connections, private.connections) == (1, 0)


# Security 20
def test_the_certificate_is_that_of_the_name_although_the_address_is_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = contexts_for("push.test", tmp_path)
    with push_service(tls=server) as service:
        right, wrong = (f"https://{name}:{service.port}" for name in ("push.test", "other.test"))
        settings = settings_for(service, origins=frozenset({right, wrong}))
        messages = [message_to(service.browser(origin)) for origin in (right, wrong)]

        def results() -> list[Result]:
            resolver = CheckedResolver(settings.origins, lookup=Names(["127.0.0.1"]).look_up)
            return [outcome.result for outcome in send(settings, *messages, resolver=resolver)]

        assert results() == [Result.LATER, Result.LATER], "nobody vouches for the certificate"
        monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", client)
        assert results() == [Result.DELIVERED, Result.LATER]
        assert len(service.received) == 1


def contexts_for(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for the name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    path = folder / "push.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=pem.decode())


def test_a_trusted_origin_may_have_a_private_address_at_its_port_alone() -> None:
    with push_service() as service, push_service() as other:
        trusted, too = (f"http://push.test:{one.port}" for one in (service, other))
        settings = settings_for(service, origins=frozenset({trusted, too}))
        resolver = CheckedResolver({trusted}, lookup=Names(["127.0.0.1"]).look_up)
        outcomes = send(
            settings,
            message_to(service.browser(trusted)),
            message_to(other.browser(too)),
            resolver=resolver,
        )
        assert [outcome.result for outcome in outcomes] == [Result.DELIVERED, Result.REFUSED]
        assert other.connections == 0
