"""A stack that logs all that it can, under mixed load and faults: no secret is in any log."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
import requests

from drill.support.push_service import Browser, PushService, push_service
from stack import StackSettings
from stack.parts import neo4j
from stack.roles import ROLE_VARIABLES, SECRETS
from tests.support.eventually import eventually
from tests.support.folders import free_folder
from tests.support.images import photograph
from tests.support.people import Person, sign_in, sign_up
from tests.support.supervised_stack import ALL_PROCESSES, QUICK_JAVA, SupervisedStack
from tests.support.transports import HttpTransport, PatientTransport


class Planted:
    """The secrets of the load, by what they are."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def add(self, name: str, value: str) -> str:
        """Remember a secret, which it returns."""
        assert len(value) >= 12, name
        self.values[f"{name} {len(self.values)}"] = value
        return value

    def new(self, name: str) -> str:
        """A secret that is drawn."""
        return self.add(name, f"x{secrets.token_urlsafe(18)}")

    def found_in(self, text: str) -> set[str]:
        """The names of those that are in the text."""
        return {name for name, value in self.values.items() if value in text}


class Load:
    """Two users at a stack, and what they keep secret."""

    def __init__(self, stack: SupervisedStack, push: PushService, planted: Planted) -> None:
        self._stack, self._push, self._planted = stack, push, planted
        self.ana, self.ben = self._sign_up("ana"), self._sign_up("ben")

    def _sign_up(self, name: str) -> Person:
        password = self._planted.new("password")
        person = sign_up(PatientTransport(self._stack.url), name, password=password)
        self._token(person.token)
        assert sign_in(person.transport, person.username, password).status_code == 201
        wrong = self._planted.new("wrong password")
        assert sign_in(person.transport, person.username, wrong).status_code == 401
        changes = {"password": self._planted.new("new password"), "current_password": wrong}
        assert person.patch("/v1/me", json=changes).status_code == 403
        assert person.patch("/v1/me", json={**changes, "name": "\x01"}).status_code == 422
        changes["current_password"] = password
        assert person.patch("/v1/me", json=changes).status_code == 200
        return person

    def _token(self, token: str) -> None:
        self._planted.add("token", token)
        self._planted.add("end of a token", token[-20:])
        self._planted.add("middle of a token", token[20:-20])

    def post(self) -> None:
        """Ana posts a photo, with an upload that is refused before."""
        self.ben.follow(self.ana)
        picture = photograph(640, 480)
        header = {"Idempotency-Key": self._planted.new("key of a photo")}
        photo = {"content_type": "image/jpeg", "size_bytes": len(picture)}
        created = self.ana.post("/v1/me/photos", json=photo, headers=header).json
        upload = created["upload"]
        query = parse_qs(urlsplit(upload["url"]).query)
        signature = self._planted.add("signature", query["X-Amz-Signature"][0])
        other = {**upload["headers"], "Content-Type": "image/png"}
        assert not requests.put(upload["url"], data=picture, headers=other, timeout=30).ok
        forged = upload["url"].replace(signature, signature[::-1])
        assert not requests.put(forged, data=picture, headers=upload["headers"], timeout=30).ok
        assert requests.put(upload["url"], data=picture, headers=upload["headers"], timeout=30).ok
        assert self.ana.post(f"/v1/me/photos/{created['id']}/complete").status_code == 202
        self.ana.wait_until_ready(int(created["id"]))
        key = self._planted.new("key of a post")
        post_id = self.ana.publish(int(created["id"]), key=key)
        assert self.ana.publish(int(created["id"]), key=key) == post_id
        body = {"photo_ids": [created["id"]], "caption": "another body"}
        reused = self.ana.post("/v1/me/feed", json=body, headers={"Idempotency-Key": key})
        assert reused.status_code == 422
        eventually(lambda: post_id in self.ben.feed())

    def push(self) -> Browser:
        """Ben subscribes a browser, which gets a notice; the service misbehaves once."""
        browser = self._push.browser()
        self._planted.add("push endpoint", browser.path)
        self._planted.add("push key", browser.p256dh)
        self._planted.add("push secret", browser.json["keys"]["auth"])
        assert self.ben.post("/v1/me/push-subscriptions", json=browser.json).status_code == 201
        broken = {**browser.json, "keys": {"p256dh": self._planted.new("wrong key"), "auth": "x"}}
        assert self.ben.post("/v1/me/push-subscriptions", json=broken).status_code == 422
        return browser

    def stream(self) -> None:
        """Ben opens a stream by a ticket, uses it again, and guesses one."""
        ticket = self._planted.add("ticket", self.ben.post("/v1/me/live/tickets").json["ticket"])
        url = f"{self._stack.url}/v1/live"
        with requests.get(url, params={"ticket": ticket}, stream=True, timeout=30) as stream:
            assert stream.status_code == 200
        assert requests.get(url, params={"ticket": ticket}, timeout=30).status_code == 401
        guess = {"ticket": self._planted.new("guessed ticket")}
        assert requests.get(url, params=guess, timeout=30).status_code == 401

    def err(self) -> None:
        """Requests that are refused, with secrets where none should be."""
        token = self._planted.new("token in the query")
        for path in ("/v1/me", "/v1/me/feed", "/v1/live", "/livez", "/nothing"):
            for name in ("token", "access_token", "auth_token"):
                assert self.ana.get(f"{path}?{name}={token}").status_code == 400
        forged = {"Authorization": f"Bearer pf_{self._planted.new('forged token')}"}
        for path in ("/v1/me", "/v1/me/feed", "/v1/live"):
            assert (
                requests.get(self._stack.url + path, headers=forged, timeout=30).status_code == 401
            )
        secret = self._planted.new("malformed body")
        json = {"Content-Type": "application/json"}
        for data in (f'{{"password": "{secret}"', f'{{"password": "{secret}", "x": 1}}', secret):
            assert self.ana.patch("/v1/me", data=data, headers=json).status_code in {400, 422}
        cookie = {"Cookie": f"session={self._planted.new('cookie')}"}
        assert self.ana.get("/v1/me", headers=cookie).status_code == 200

    def end(self) -> None:
        """Both change their minds: a deletion, a restoration, a sign-out."""
        path = f"/v1/me/following/{self.ana.id}"
        assert self.ben.delete(path).status_code == 204
        assert self.ben.delete("/v1/me", json={"password": "x" * 20}).status_code == 403
        assert self.ana.delete("/v1/me/sessions/current").status_code == 204
        assert self.ana.get("/v1/me").status_code == 401


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Planted()


@pytest.fixture(scope="module")
def push() -> Iterator[PushService]:
    with push_service() as service:
        yield service


@pytest.fixture(scope="module")
def noisy(push: PushService) -> Iterator[SupervisedStack]:
    """A stack of its own, with everything at debug."""
    settings = StackSettings(
        folder=free_folder("noisy"),
        neo4j_pagecache="128m",
        neo4j_java_options=QUICK_JAVA,
        limits_scale="100000",
    )
    env = {"LOG_LEVEL": "debug", "PUSH_ORIGINS": push.origin, "NOTICE_DELAY_SECONDS": "1"}
    noisy_logs = neo4j.LOGS.replace('<Root level="INFO">', '<Root level="DEBUG">')
    with pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
        patch.setattr(neo4j, "LOGS", noisy_logs)
        stack = opened.enter_context(
            SupervisedStack(settings, processes=ALL_PROCESSES, extra_env=env)
        )
        for name in ("QUEUE_REDIS_URL", "CACHE_REDIS_URL"):
            with redis.Redis.from_url(stack.env[name]) as server:
                server.config_set("loglevel", "debug")
        yield stack


def logs_of(stack: SupervisedStack) -> Mapping[str, str]:
    """Every log of every process and server, by its name."""
    folder = stack.settings.folder
    paths = [*(folder / "logs").iterdir(), *(folder / "neo4j" / "logs").iterdir()]
    return {
        f"{path.parent.parent.name} {path.name}": path.read_text(errors="replace")
        for path in filter(Path.is_file, paths)
    }


def settings_of(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The secrets of a stack's environment, by variable: of a URL, its password."""
    for name in (*SECRETS, *ROLE_VARIABLES):
        value = env.get(name, "")
        if value:
            yield name, urlsplit(value).password or value


# Security 2, 25
@pytest.mark.timeout(400)
def test_no_secret_is_in_any_log_of_a_noisy_stack(
    noisy: SupervisedStack, push: PushService, planted: Planted
) -> None:
    for name, value in settings_of(noisy.env):
        planted.add(name, value)
    planted.values["hash of a password"] = "$argon2id$"
    planted.values["hash of a token"] = "secret_sha256 ->"
    load = Load(noisy, push, planted)
    load.push()
    load.post()
    load.stream()
    load.err()
    eventually(lambda: push.received)
    noisy.kill_and_wait("photos", "timelines", "notifier")
    for store in ("cache", "queue", "neo4j"):
        with noisy.paused(store):  # every process logs that the store is away
            once = HttpTransport(noisy.url)
            load.ben.on(once).get("/v1/me/feed")
            load.ben.on(once).get("/v1/me/notifications")
            load.ana.on(once).patch("/v1/me", json={"name": "Ana Lopes"})
    eventually(lambda: load.ben.get("/v1/me").status_code == 200)
    load.end()
    logs = logs_of(noisy)
    noisy_ones = {name for name, text in logs.items() if '"level": "debug"' in text}
    assert {"api.log", "photos.log", "notifier.log"} <= {name.split()[-1] for name in noisy_ones}
    assert " DEBUG " in logs["neo4j debug.log"]
    leaks = {name: found for name, text in logs.items() if (found := planted.found_in(text))}
    assert leaks == {}
