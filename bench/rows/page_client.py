"""Feed pages over HTTP: measured, and compared with those of the Flask view and of the model."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from flask.testing import FlaskClient

from api.app import create_app
from bench.peers.wrk import Load, Request, load, write_requests
from bench.stage.cores import CLIENT, SERVER, pin, process_seconds, unpin
from bench.stage.measurement import Measurement
from bench.stage.processes import Processes, api_settings
from bench.stage.run_context import RunContext
from bench.stage.stage import Stage, stage_of
from feed.background import BackgroundRebuilder

PAGE = 20
"""Posts a page."""
REQUEST_SECONDS = 30.0

DEEP_VIEWERS, OTHER_VIEWERS = 80, 1_920
"""Viewers who follow many, and others: as many at all sizes of town."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of a viewer's feed; `start` is the index in the feed of its first post."""

    viewer: int
    path: str
    start: int = 0


@dataclass(slots=True, kw_only=True)
class PageClient:
    """A client of the API of a stage."""

    stage: Stage
    processes: Processes
    view: FlaskClient
    """Calls the Flask view in this process."""
    seconds: float
    """The time of one measurement."""

    def write_file(self, name: str, pages: Sequence[Page]) -> Path:
        """A file of requests for wrk."""
        tokens = self.stage.tokens([page.viewer for page in pages])
        lines = [Request(path=p.path, token=t) for p, t in zip(pages, tokens, strict=True)]
        return write_requests(self.stage.stack.folder / f"{name}.tsv", lines)

    def measure(self, file: Path, **options: Any) -> tuple[Measurement, Load]:
        """Pages a second of a file. Raises RuntimeError if an answer is an error."""
        pids = self.processes.pids("api")
        api_before, redis_before = process_seconds(pids), self.stage.cache_seconds()
        result = load(self.processes.url, file, seconds=self.seconds, **options).require_success()
        us_a_request = 1e6 / result.requests
        cpu_us = {
            "api": (process_seconds(pids) - api_before) * us_a_request,
            "redis": (self.stage.cache_seconds() - redis_before) * us_a_request,
        }
        return Measurement(value=result.rate, cpu_us=cpu_us), result

    def wrong_pages(self, pages: Sequence[Page]) -> list[Page]:
        """Pages whose bytes differ from the view's, or whose posts differ from the model's."""
        wrong = []
        with requests.Session() as client:
            client.trust_env = False
            tokens = self.stage.tokens([page.viewer for page in pages])
            for page, token in zip(pages, tokens, strict=True):
                headers = {"Authorization": f"Bearer {token}"}
                answer = client.get(
                    f"{self.processes.url}{page.path}", headers=headers, timeout=REQUEST_SECONDS
                )
                viewed = self.view.get(page.path, headers=headers)
                if answer.content != viewed.data or _ids(answer) != self._expected_ids(page):
                    wrong.append(page)
        return wrong

    def _expected_ids(self, page: Page) -> list[int]:
        """The ids of a page in the model."""
        return self.stage.feed(page.viewer)[page.start : page.start + PAGE]

    def walk(self, viewer: int, start: int) -> Page:
        """The viewer's page that begins at post `start`, reached along `next`."""
        [token] = self.stage.tokens([viewer])
        path = first_page(viewer).path
        for _ in range(start // PAGE):
            answer = requests.get(
                f"{self.processes.url}{path}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=REQUEST_SECONDS,
            ).json()
            path = f"/v1/me/feed?limit={PAGE}&cursor={answer['next']}"
        return Page(viewer=viewer, path=path, start=start)


def _ids(answer: requests.Response) -> list[int]:
    return [int(post["id"]) for post in answer.json()["posts"]]


def first_page(viewer: int) -> Page:
    """The viewer's first page."""
    return Page(viewer=viewer, path=f"/v1/me/feed?limit={PAGE}")


def viewers(stage: Stage) -> list[int]:
    """The users whose pages are read, in random order."""
    generator = random.Random(stage.town.seed)
    others = stage.town.ordinary_readers
    drawn = deep_viewers(stage) + generator.sample(others, min(OTHER_VIEWERS, len(others) // 2))
    generator.shuffle(drawn)
    return drawn


def deep_viewers(stage: Stage) -> list[int]:
    """The viewers with full lists."""
    return list(stage.town.deep_readers)[:DEEP_VIEWERS]


@contextmanager
def page_client(
    run: RunContext, *, pinned: bool = True, variables: Mapping[str, str] | None = None
) -> Iterator[PageClient]:
    """A client of the run's stage. `pinned`: the API has a core, client and Redis the other one.

    `variables` are settings of the API.
    """
    stage = stage_of(run)
    processes = stage.processes("api", variables=variables)
    rebuilder = BackgroundRebuilder(stage.graph, stage.storage)
    app = create_app(api_settings(processes.env), stage.graph, stage.storage, rebuilder)
    servers = processes.pids("api")
    if pinned:
        for pid in servers:
            pin(pid, SERVER)
        pin(stage.cache_pid(), CLIENT)
    try:
        yield PageClient(
            stage=stage, processes=processes, view=app.test_client(), seconds=run.seconds
        )
    finally:
        rebuilder.close()
        for pid in (*servers, stage.cache_pid()):
            unpin(pid)
