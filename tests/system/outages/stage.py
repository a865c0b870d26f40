"""API and workers on a Neo4j that a test may kill, and clients that go on meanwhile."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Self, TypeVar

from graph import Graph, schema
from graph.errors import GraphUnavailableError
from storage import Storage
from tests.support.environment import graph_settings, storage_settings
from tests.support.eventually import eventually
from tests.support.folders import free_folder
from tests.support.people import Person, post_ids, send_post
from tests.support.supervised_stack import QUICK_JAVA, SupervisedStack, external_stores
from tests.support.town import Town
from tests.support.transports import ApiResponse
from tests.system.outages.gateway import is_cached

PROCESSES = ("api", "fanout", "timelines", "sweeper")
DEGRADED = "Photofeed-Degraded"
TRIES = 8

T = TypeVar("T")


def with_retries(call: Callable[[], T]) -> T:
    """The result of the call. A Neo4j that has just been started may be slow."""
    for _ in range(TRIES - 1):
        try:
            return call()
        except GraphUnavailableError:
            continue
    return call()


class OutageStage(SupervisedStack):
    """Processes on a Neo4j and two Redis servers of their own."""

    graph: Graph
    storage: Storage
    town: Town

    def __init__(self, stack_env: Mapping[str, str]) -> None:
        external = external_stores(stack_env, free_folder("outages"))
        own_stores = replace(
            external,
            neo4j_uri=None,
            neo4j_pagecache="128m",
            neo4j_java_options=QUICK_JAVA,
            queue_redis_url=None,
            queue_memory="64mb",
            cache_redis_url=None,
            cache_memory="64mb",
            limits_scale="1000000",
        )
        super().__init__(own_stores, processes=PROCESSES)

    def __enter__(self) -> Self:
        super().__enter__()
        self.graph = Graph.open(graph_settings(self.env))
        self.storage = Storage.open(storage_settings(self.env))
        self.town = Town(self.graph)
        with_retries(lambda: schema.warm(self.graph.connection))
        return self

    def __exit__(self, *_: object) -> None:
        self.graph.close()
        self.storage.close()
        super().__exit__()

    @property
    def folder(self) -> Path:
        """The folder with the data of its stores."""
        return self.settings.folder

    def photos(self, author: Person, count: int) -> list[int]:
        """Photos that are ready to be published."""
        return with_retries(lambda: self.town.photos(author.id, count))

    def reader_of(self, author: Person) -> Person:
        """A user who follows the author, with timeline, bodies and session in the cache."""
        reader = self.sign_up("reader")
        with_retries(lambda: self.town.add_followees(reader.id, author.id))
        eventually(lambda: reader.feed() and is_cached(self.storage, reader))
        return reader


@dataclass
class Responses:
    """The responses to a client's requests, in their order."""

    statuses: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    """The header that names the store that is unavailable, or ""."""
    wrong: list[str] = field(default_factory=list)

    def add(self, response: ApiResponse, seconds: float) -> None:
        self.statuses.append(response.status_code)
        self.seconds.append(seconds)
        self.marks.append(response.headers.get(DEGRADED, ""))


class Client:
    """A thread that sends one request after the other until the end of the context."""

    def __init__(self, send: Callable[[Responses], None]) -> None:
        self._responses = Responses()
        self._send = send
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Responses:
        self._thread.start()
        return self._responses

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._send(self._responses)
            self._stop.wait(0.02)


def reading(reader: Person, expected: list[int]) -> Client:
    """A client that reads the feed, which must stay as expected."""
    reader = reader.on_new_connection()

    def send(responses: Responses) -> None:
        began = time.monotonic()
        response = reader.get("/v1/me/feed?limit=20")
        responses.add(response, time.monotonic() - began)
        if response.status_code == HTTPStatus.OK:
            ids = post_ids(response.json)
            if ids != expected:
                responses.wrong.append(f"{ids} instead of {expected}")

    return Client(send)


def publishing(author: Person, photo_ids: list[int], posts: dict[str, set[int]]) -> Client:
    """A client that publishes one photo after the other, each with one key until it succeeds.

    `posts` gets the post ids by key.
    """
    author = author.on_new_connection()
    waiting = [(photo_id, secrets.token_hex(8)) for photo_id in photo_ids]

    def send(responses: Responses) -> None:
        if not waiting:
            return
        photo_id, key = waiting[0]
        began = time.monotonic()
        response = send_post(author, {"photo_ids": [str(photo_id)], "caption": key}, key)
        responses.add(response, time.monotonic() - began)
        if response.status_code in {HTTPStatus.OK, HTTPStatus.CREATED}:
            posts.setdefault(key, set()).add(int(response.json["id"]))
            waiting.pop(0)
        elif response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
            responses.wrong.append(response.text)
        elif "Retry-After" not in response.headers:
            responses.wrong.append(f"no Retry-After: {response.text}")

    return Client(send)
