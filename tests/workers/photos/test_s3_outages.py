"""S3 slow, overloaded or cut in mid-body (case 38)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from environs import Env

from drill.support.proxy import Proxy, Side
from graph import Graph
from graph.events import Event
from graph.photos import Photo
from storage import Storage, StorageSettings, StorageUnavailableError
from storage.photos import Photos
from tests.support import images
from tests.support.outbox import run
from tests.support.town import Town
from tests.support.uploads import COMPLETE, Upload, object_names
from workers.photos import processing


def state(graph: Graph, photo: Photo) -> str:
    found = graph.photos.get(photo.id)
    assert found
    return found.state


def due(graph: Graph, event: Event) -> Event:
    """The event, made due as the sweeper would find it."""
    town = Town(graph)
    town.end_lease(event.id)
    found = town.find_event(event.id)
    assert found
    return found


def finish_later(graph: Graph, storage: Storage, photo: Photo, event: Event) -> None:
    """Run the job again, after the outage: the photo becomes ready with all its objects."""
    again = due(graph, event)
    assert run(graph, storage, again.id, again.epoch) == "done"
    assert state(graph, photo) == "ready"
    assert object_names(storage.photos, photo.path) == COMPLETE


@contextmanager
def overloaded_s3() -> Iterator[str]:
    """The URL of an S3 that answers every request with 503 SlowDown."""

    class SlowDown(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b"<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>"
            self.send_response(503)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), SlowDown) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_an_overloaded_s3_is_an_outage_and_counts_as_no_try(
    graph: Graph, storage: Storage, upload: Upload
) -> None:
    photo, event = upload(images.jpeg())
    with overloaded_s3() as url:
        settings = replace(StorageSettings.from_env(Env()), s3_endpoint_url=url)
        overloaded = replace(storage, photos=Photos(settings))
        job = due(graph, event)
        assert run(graph, overloaded, job.id, job.epoch) == "outage"
        assert due(graph, event).attempts == job.attempts
        assert state(graph, photo) == "processing"
        overloaded.photos.close()
    finish_later(graph, storage, photo, event)


def test_a_slow_s3_makes_a_photo_ready_later(
    graph: Graph, storage: Storage, proxied_storage: Storage, proxy: Proxy, upload: Upload
) -> None:
    photo, event = upload(images.photograph(1200, 900))
    proxy.slow(0.1)
    processing.process(graph, proxied_storage, event)
    assert state(graph, photo) == "ready"
    assert object_names(storage.photos, photo.path) == COMPLETE


def test_an_s3_too_slow_for_a_job_is_an_outage_and_counts_as_no_try(
    graph: Graph,
    storage: Storage,
    upload: Upload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo, event = upload(images.jpeg())
    with monkeypatch.context() as patch:
        patch.setattr(processing, "STORING_SECONDS", 0.0)
        with pytest.raises(StorageUnavailableError):
            processing.process(graph, storage, event)
    assert state(graph, photo) == "processing"
    assert "media/*/320.jpg" not in object_names(storage.photos, photo.path)
    finish_later(graph, storage, photo, event)


@pytest.mark.parametrize("where", [("answer", 20_000), ("request", 4_000)])
def test_a_body_cut_in_the_middle_never_becomes_a_partial_photo(
    graph: Graph,
    storage: Storage,
    proxied_storage: Storage,
    proxy: Proxy,
    *,
    upload: Upload,
    where: tuple[Side, int],
) -> None:
    photo, event = upload(images.photograph(2400, 1600))
    side, count = where
    for _ in range(4):  # more often than the client retries
        proxy.cut_after(count, side=side)
    job = due(graph, event)
    outcome = run(graph, proxied_storage, job.id, job.epoch)
    proxy.resume()
    assert (outcome, state(graph, photo)) in {("outage", "processing"), ("done", "ready")}
    if outcome == "outage":
        finish_later(graph, storage, photo, event)
    assert object_names(storage.photos, photo.path) == COMPLETE
