"""Our API and workers on a Neo4j that may be killed, and people who use them meanwhile."""

import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

import requests

from graph import Graph, GraphSettings, schema
from graph.errors import GraphUnavailableError
from stack import LocalStack, StackSettings
from storage import Storage, StorageSettings
from tests.conftest import QUICK_JAVA
from tests.support.eventually import eventually
from tests.support.folders import free_folder
from tests.support.running import MANY_DEATHS
from tests.support.town import Town
from tests.system.journeys.people import Person

PROCESSES = ("api", "fanout", "timelines", "sweeper")
DEGRADED = "Photofeed-Degraded"
TRIES = 8

T = TypeVar("T")


def patiently(call: Callable[[], T]) -> T:
    """What the call returns, soon or late: a Neo4j that has just been started may be slow."""
    for _ in range(TRIES - 1):
        try:
            return call()
        except GraphUnavailableError:
            continue
    return call()


class OutageStage:
    """What runs. Whatever is killed is started again by the stack's own supervisor."""

    def __init__(self, stack_env: dict[str, str]) -> None:
        self.said: list[str] = []
        self._stack = LocalStack(
            StackSettings(
                folder=free_folder("outage"),
                neo4j_heap="512m",
                neo4j_pagecache="128m",
                neo4j_java_options=QUICK_JAVA,
                queue_memory="64mb",
                cache_memory="64mb",
                s3_endpoint_url=stack_env["S3_ENDPOINT_URL"],
                s3_bucket=stack_env["S3_BUCKET"],
                s3_access_key=stack_env["AWS_ACCESS_KEY_ID"],
                s3_secret_key=stack_env["AWS_SECRET_ACCESS_KEY"],
                s3_region=stack_env["AWS_REGION"],
                media_base_url=stack_env["MEDIA_BASE_URL"],
                limits_scale="1000000",
                api_workers=2,
            ),
            report=self.said.append,
            max_crashes=MANY_DEATHS,
        )
        self._watcher = threading.Thread(target=self._stack.supervisor.watch, daemon=True)

    def __enter__(self) -> Self:
        self._stack.lock()
        try:
            self._stack.start_stores()
            self._stack.start_processes(PROCESSES)
        except BaseException:
            self._stack.stop()
            raise
        self._watcher.start()
        env = self._stack.env
        self.graph = Graph.open(
            GraphSettings(
                uri=env["NEO4J_URI"],
                user=env["NEO4J_USER"],
                password=env["NEO4J_PASSWORD"],
                database=env["NEO4J_DATABASE"],
            )
        )
        self.storage = Storage.open(
            StorageSettings(
                queue_url=env["QUEUE_REDIS_URL"],
                cache_url=env["CACHE_REDIS_URL"],
                s3_endpoint_url=env["S3_ENDPOINT_URL"],
                s3_bucket=env["S3_BUCKET"],
                s3_access_key=env["AWS_ACCESS_KEY_ID"],
                s3_secret_key=env["AWS_SECRET_ACCESS_KEY"],
                s3_region=env["AWS_REGION"],
                media_base_url=env["MEDIA_BASE_URL"],
            )
        )
        self.town = Town(self.graph)
        patiently(lambda: schema.warm(self.graph.connection))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.stopping.set()
        self._watcher.join()
        self.graph.close()
        self.storage.close()
        self._stack.stop()

    @property
    def url(self) -> str:
        return self._stack.env["API_URL"]

    @property
    def folder(self) -> Path:
        """Where its stores keep their data."""
        return self._stack.folder

    def person(self, name: str) -> Person:
        return Person(self.url, name)

    def pid(self, name: str) -> int:
        pid = self._stack.process(name).pid
        assert pid is not None
        return pid

    def log(self, name: str) -> str:
        return self._stack.process(name).log.read_text(errors="replace")

    def kill_graph(self) -> None:
        """It is started again at once, which takes it some ten seconds."""
        os.kill(self.pid("neo4j"), signal.SIGKILL)

    @contextmanager
    def graph_stopped(self) -> Iterator[None]:
        """It takes connections and questions, and answers nothing."""
        pid = self.pid("neo4j")
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def photos(self, author: Person, count: int) -> list[int]:
        """Photos that are ready to be posted."""
        return [patiently(lambda: self.town.photo(author.id)) for _ in range(count)]

    def follower_with_a_timeline(self, author: Person) -> Person:
        """Somebody whose feed, bodies and session the cache has."""
        reader = self.person("reader")
        patiently(lambda: self.town.add_followees(reader.id, author.id))
        eventually(lambda: reader.feed_ids() and self._in_the_cache(reader), seconds=60)
        return reader

    def _in_the_cache(self, reader: Person) -> bool:
        window = self.storage.timelines.window(reader.id, 24)
        posts = [body for entry, body in window.entries if entry > 0]  # without the sentinel
        return bool(posts) and all(posts)


@dataclass
class Answers:
    """What came of a client's requests, in their order."""

    statuses: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def note(self, answer: requests.Response, seconds: float) -> None:
        self.statuses.append(answer.status_code)
        self.seconds.append(seconds)
        self.marks.append(answer.headers.get(DEGRADED, ""))


class Client:
    """A thread that asks again and again until it is told to stop."""

    def __init__(self, ask: Callable[[Answers], None]) -> None:
        self.answers = Answers()
        self._ask = ask
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Answers:
        self._thread.start()
        return self.answers

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._ask(self.answers)
            self._stop.wait(0.02)


def reads(reader: Person, expected: list[int]) -> Client:
    """Reads the feed, which does not change."""
    reader = reader.again()

    def ask(answers: Answers) -> None:
        began = time.monotonic()
        answer = reader.call("GET", "/v1/me/feed?limit=20")
        answers.note(answer, time.monotonic() - began)
        if answer.ok:
            found = [int(post["id"]) for post in answer.json()["posts"]]
            if found != expected:
                answers.wrong.append(f"{found} instead of {expected}")

    return Client(ask)


def posts(author: Person, photo_ids: list[int], made: dict[str, set[int]]) -> Client:
    """Posts one photo after the other, each with a key that it holds on to until it has a post."""
    author = author.again()
    waiting = [(photo_id, secrets.token_hex(8)) for photo_id in photo_ids]

    def ask(answers: Answers) -> None:
        if not waiting:
            return
        photo_id, key = waiting[0]
        began = time.monotonic()
        answer = author.call(
            "POST",
            "/v1/me/feed",
            json={"photo_ids": [str(photo_id)], "caption": key},
            headers={"Idempotency-Key": key},
        )
        answers.note(answer, time.monotonic() - began)
        if answer.ok:
            made.setdefault(key, set()).add(int(answer.json()["id"]))
            waiting.pop(0)
        elif answer.status_code != requests.codes.service_unavailable:
            answers.wrong.append(answer.text)
        elif "Retry-After" not in answer.headers:
            answers.wrong.append(f"no Retry-After: {answer.text}")

    return Client(ask)
