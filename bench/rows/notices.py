"""N4: push messages a second, encrypted and signed, against pywebpush's `webpush()` in a loop."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import http_ece
import requests
import uvloop
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.peers import processes
from bench.peers.processes import Peer, install, running_peer
from bench.rows.row import Check, Row, Sides
from bench.stage.cores import CLIENT, SERVER, on_core, pin, thread_seconds
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from graph.ids import new_id
from graph.push_subscriptions import PushSubscription
from observing import logs
from stack.ports import HOST
from web_push.keys import AUTH_BYTES, CURVE, PRIVATE_BYTES, encode
from web_push.settings import WebPushSettings
from workers.notices.push.messages import Message, Payload, Result
from workers.notices.push.sender import PushSender

BROWSERS = 64
BATCH = 256
"""Messages that the sender gets at once: about a page of the notifier."""
EXIT_SECONDS = 10
REPORT_SECONDS = 60

PAYLOAD = Payload(
    kind="new-photos",
    title="Photofeed",
    body="3 new photos from Ana, Bo and 1 other",
    url="/",
    tag="feed",
    unread=3,
)


@dataclass(frozen=True, slots=True)
class _Browser:
    """The keys of a browser, and its endpoint."""

    endpoint: str
    private_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(CURVE)
    )
    auth: bytes = field(default_factory=lambda: os.urandom(AUTH_BYTES))

    @property
    def keys(self) -> dict[str, str]:
        point = self.private_key.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        return {"p256dh": encode(point), "auth": encode(self.auth)}

    def is_right(self, head: str, body: bytes) -> bool:
        """Whether a message is encrypted for this browser, signed, and has the payload."""
        text = http_ece.decrypt(
            body, private_key=self.private_key, auth_secret=self.auth, version="aes128gcm"
        )
        return bool(text == PAYLOAD.encode()) and "\r\nauthorization: vapid t=" in head


@dataclass(slots=True, kw_only=True)
class _Sending:
    settings: WebPushSettings
    browsers: Sequence[_Browser]
    url: str
    peer: Peer
    seconds: float
    sent: int = 0
    """Messages since the last check that were delivered, by either side."""

    def ours(self) -> Measurement:
        """Messages a second of our sender."""
        before, began = thread_seconds(), time.perf_counter()
        count = uvloop.run(self._send())
        seconds = time.perf_counter() - began
        self.sent += count
        return _measurement(count, seconds, thread_seconds() - before, "sender")

    async def _send(self) -> int:
        now = datetime.now(UTC)
        messages = [
            Message(
                subscription=PushSubscription(
                    id=new_id(),
                    user_id=1,
                    session_id=1,
                    endpoint=browser.endpoint,
                    created_at=now,
                    **browser.keys,
                ),
                payload=PAYLOAD,
                ttl_seconds=600,
            )
            for browser in self.browsers
        ]
        batch = messages * (BATCH // len(messages))
        count, until = 0, time.perf_counter() + self.seconds
        async with PushSender(self.settings) as sender:
            while time.perf_counter() < until:
                outcomes = await sender.send(batch)
                count += sum(outcome.result == Result.DELIVERED for outcome in outcomes)
        return count

    def against(self) -> Measurement:
        """Messages a second of pywebpush."""
        answer = self.peer.call(
            "send",
            subscriptions=[{"endpoint": b.endpoint, "keys": b.keys} for b in self.browsers],
            text=PAYLOAD.encode().decode(),
            private_key=self.settings.private_key,
            subject=self.settings.subject,
            seconds=self.seconds,
        )
        self.sent += answer["messages"]
        return _measurement(answer["messages"], answer["seconds"], answer["cpu"], "peer")

    def check(self) -> Check:
        """Every message that was sent since the last check."""
        session = requests.Session()
        session.trust_env = False
        answer = session.get(f"{self.url}/messages", timeout=REPORT_SECONDS)
        received = [json.loads(line) for line in answer.text.splitlines()]
        by_path = {browser.endpoint.removeprefix(self.url): browser for browser in self.browsers}
        are_right = all(
            by_path[path].is_right(head, bytes.fromhex(body)) for path, head, body in received
        )
        passed = are_right and len(received) == self.sent > 0
        self.sent = 0
        return Check(what="messages, decrypted", count=len(received), passed=passed)


def _measurement(count: int, seconds: float, cpu: float, process: str) -> Measurement:
    return Measurement(value=count / seconds, cpu_us={process: 1e6 * cpu / count})


@contextmanager
def _service() -> Iterator[str]:
    """The URL of a push service on the server's core."""
    script = Path(processes.__file__).parent / "push_service.py"
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout  # noqa: S101 - narrows the type for mypy
        port = int(process.stdout.readline())
        pin(process.pid, SERVER)
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait(EXIT_SECONDS)


@contextmanager
def _sending(run: RunContext) -> Iterator[Sides]:
    logs.configure("bench", level="error")  # the product's log lines would go into the table
    environment = install("webpush", run.report)
    key = ec.generate_private_key(CURVE).private_numbers().private_value
    with _service() as url, on_core(CLIENT), running_peer(environment, "webpush") as peer:
        sending = _Sending(
            settings=WebPushSettings(
                private_key=encode(key.to_bytes(PRIVATE_BYTES)), origins=frozenset({url})
            ),
            browsers=[_Browser(f"{url}/push/{number}") for number in range(BROWSERS)],
            url=url,
            peer=peer,
            seconds=run.seconds,
        )
        yield Sides(
            ours=sending.ours,
            against=sending.against,
            check=sending.check,
            sizes={"browsers": BROWSERS, "messages at once": BATCH},
        )


ROWS = (
    Row(
        id="N4",
        title="push messages encrypted, signed and sent : pywebpush's webpush()",
        unit="messages/s",
        target=2,
        better="higher",
        open=_sending,
    ),
)
