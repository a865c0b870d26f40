"""Pages of feeds as clients get them, measured and compared with the view's and the model's."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from flask.testing import FlaskClient

from api.app import create_app
from bench.peers.wrk import Load, Request, load, write_requests
from bench.rows.row import Measured, Sizes
from bench.stage.cores import CLIENT, SERVER, pin
from bench.stage.stage import Ours, Stage, api_settings, cpu_seconds, stage_of, unpin
from feed.background import BackgroundRebuilder

PAGE = 20
"""Posts a page."""
ASK_SECONDS = 30.0

DEEP_VIEWERS, OTHER_VIEWERS = 80, 320
"""Who asks: some with full lists, most with lists of 38 posts; as many at all sizes of town."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of a viewer's feed, and which of their posts should be on it."""

    viewer: int
    path: str
    start: int = 0


@dataclass(slots=True, kw_only=True)
class Pages:
    """The API of a stage on a core of its own, and a client to ask it."""

    stage: Stage
    ours: Ours
    view: FlaskClient
    seconds: float

    def file(self, name: str, pages: Sequence[Page]) -> Path:
        """These pages as requests for wrk."""
        tokens = self.stage.tokens([page.viewer for page in pages])
        lines = [Request(path=p.path, token=t) for p, t in zip(pages, tokens, strict=True)]
        return write_requests(self.stage.stack.folder / f"{name}.tsv", lines)

    def measured(self, file: Path, **how: Any) -> tuple[Measured, Load]:
        """Pages a second of these requests, all of them answered well."""
        pids = self.ours.pids("api")
        api_before, redis_before = cpu_seconds(pids), self.stage.cache_seconds()
        found = load(self.ours.url, file, seconds=self.seconds, **how).clean()
        each = 1e6 / found.requests
        cpu_us = {
            "api": (cpu_seconds(pids) - api_before) * each,
            "redis": (self.stage.cache_seconds() - redis_before) * each,
        }
        return Measured(value=found.rate, cpu_us=cpu_us), found

    def wrong(self, pages: Sequence[Page]) -> list[Page]:
        """Those that are not byte for byte the view's, or hold other posts than the model has."""
        found = []
        with requests.Session() as client:
            client.trust_env = False
            tokens = self.stage.tokens([page.viewer for page in pages])
            for page, token in zip(pages, tokens, strict=True):
                headers = {"Authorization": f"Bearer {token}"}
                answer = client.get(
                    f"{self.ours.url}{page.path}", headers=headers, timeout=ASK_SECONDS
                )
                viewed = self.view.get(page.path, headers=headers)
                if answer.content != viewed.data or ids_of(answer) != self.expected(page):
                    found.append(page)
        return found

    def expected(self, page: Page) -> list[int]:
        """The ids on a page, by the model."""
        return self.stage.feed(page.viewer)[page.start : page.start + PAGE]

    def walked(self, viewer: int, start: int) -> Page:
        """The viewer's page that begins at that post, reached by walking along `next`."""
        [token] = self.stage.tokens([viewer])
        path = first(viewer).path
        for _ in range(start // PAGE):
            answer = requests.get(
                f"{self.ours.url}{path}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=ASK_SECONDS,
            ).json()
            path = f"/v1/me/feed?limit={PAGE}&cursor={answer['next']}"
        return Page(viewer=viewer, path=path, start=start)


def ids_of(answer: requests.Response) -> list[int]:
    """The ids of the posts in an answer."""
    return [int(post["id"]) for post in answer.json()["posts"]]


def first(viewer: int) -> Page:
    """The viewer's first page."""
    return Page(viewer=viewer, path=f"/v1/me/feed?limit={PAGE}")


def viewers(stage: Stage) -> list[int]:
    """Who asks for pages, in random order."""
    chance = random.Random(stage.town.seed)
    deep = deep_viewers(stage)
    others = [index for index in stage.town.readers if index not in stage.town.deep_readers]
    chosen = deep + chance.sample(others, min(OTHER_VIEWERS, len(others) // 2))
    chance.shuffle(chosen)
    return chosen


def deep_viewers(stage: Stage) -> list[int]:
    """Those of them whose lists are full."""
    return list(stage.town.deep_readers)[:DEEP_VIEWERS]


@contextmanager
def pages_of(sizes: Sizes, *, pinned: bool = True) -> Iterator[Pages]:
    """The pages of the run's stage: `pinned`, the API on one core, client and Redis on another."""
    stage = stage_of(sizes)
    ours = stage.ours("api")
    rebuilder = BackgroundRebuilder(stage.graph, stage.storage)
    app = create_app(api_settings(ours.env), stage.graph, stage.storage, rebuilder)
    servers = ours.pids("api")
    if pinned:
        for pid in servers:
            pin(pid, SERVER)
        pin(stage.cache_pid(), CLIENT)
    try:
        yield Pages(stage=stage, ours=ours, view=app.test_client(), seconds=sizes.seconds)
    finally:
        rebuilder.close()
        for pid in (*servers, stage.cache_pid()):
            unpin(pid)
