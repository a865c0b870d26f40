"""S3 slow, overloaded or cut in mid-body (case 38), or broken for one object (case 51)."""

import http.client
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from environs import Env

from drill.support.proxy import Proxy, Side
from graph import Graph
from graph.events import Event
from graph.photos import Photo
from storage import Storage, StorageSettings, StorageUnavailableError
from storage import photos as photos_module
from storage.photos import Photos
from tests.support import images
from tests.support.eventually import eventually
from tests.support.outbox import claim, release, run
from tests.support.town import Town
from tests.support.uploads import COMPLETE, Upload, object_names
from workers import leases
from workers.errors import FencedError
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


class S3Stub(ABC, BaseHTTPRequestHandler):
    """A handler that answers requests in place of S3, and logs nothing."""

    protocol_version = "HTTP/1.1"

    @abstractmethod
    def answer(self, _body: bytes, /) -> None:
        """Answer the request, which had this body."""

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def take(self) -> None:
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = take  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def served(handler: type[S3Stub]) -> Iterator[str]:
    """The URL of a server with this handler."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class SlowDown(S3Stub):
    """Answers every request with 503 SlowDown."""

    def answer(self, _body: bytes, /) -> None:
        self.reply(503, b"<Error><Code>SlowDown</Code><Message>Reduce.</Message></Error>")


def s3_without(path: str) -> AbstractContextManager[str]:
    """The URL of an S3 that answers 500 whenever the upload of this path is read."""
    upstream = urlsplit(StorageSettings.from_env(Env()).s3_endpoint_url).netloc

    class Forwarder(S3Stub):
        def answer(self, body: bytes, /) -> None:
            if self.command == "GET" and f"incoming/{path}" in self.path:
                self.reply(500, b"<Error><Code>InternalError</Code></Error>")
                return
            connection = http.client.HTTPConnection(upstream, timeout=20)
            connection.putrequest(self.command, self.path, skip_host=True)
            for name, value in self.headers.items():
                if name.lower() not in {"expect", "connection", "accept-encoding"}:
                    connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            self.reply(response.status, response.read())
            connection.close()

    return served(Forwarder)


@contextmanager
def broken_for(storage: Storage, photo: Photo) -> Iterator[Storage]:
    """The storage with an S3 that never returns the upload of this photo."""
    with s3_without(photo.path) as url:
        photos = Photos(replace(StorageSettings.from_env(Env()), s3_endpoint_url=url))
        yield replace(storage, photos=photos)
        photos.close()


def test_a_photo_whose_upload_cannot_be_read_for_a_day_has_failed_and_others_go_on(
    graph: Graph, storage: Storage, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 51."""
    photo, event = upload(images.jpeg())
    other, other_event = upload(images.jpeg())
    monkeypatch.setattr(processing, "_ready_at", None)
    with broken_for(storage, photo) as broken:
        with pytest.raises(StorageUnavailableError):
            processing.process(graph, broken, event)
        with monkeypatch.context() as a_day_later:
            a_day_later.setattr(processing, "LONGEST_OUTAGE", timedelta(minutes=-1))
            with pytest.raises(StorageUnavailableError):
                processing.process(graph, broken, event)
            with monkeypatch.context() as ten_minutes_later:
                ten_minutes_later.setattr(processing, "FAILING_SECONDS", -1.0)
                with pytest.raises(StorageUnavailableError):  # perhaps all photos fail
                    processing.process(graph, broken, event)
            processing.process(graph, broken, other_event)
            assert state(graph, other) == "ready"
            with pytest.raises(StorageUnavailableError):  # perhaps for this moment only
                processing.process(graph, broken, event)
            a_day_later.setattr(processing, "FAILING_SECONDS", -1.0)
            processing.process(graph, broken, event)
    failed = graph.photos.get(photo.id)
    assert failed
    assert (failed.state, failed.failure_code) == ("failed", "object-unreadable")
    assert object_names(storage.photos, photo.path) == set()


def test_a_photo_is_not_given_up_before_its_day_is_over(
    graph: Graph, storage: Storage, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing, "FAILING_SECONDS", -1.0)
    photo, event = upload(images.jpeg())
    _, other_event = upload(images.jpeg())
    with broken_for(storage, photo) as broken:
        processing.process(graph, broken, other_event)
        with pytest.raises(StorageUnavailableError):
            processing.process(graph, broken, event)
    finish_later(graph, storage, photo, event)


def test_an_overloaded_s3_is_an_outage_and_counts_as_no_try(
    graph: Graph, storage: Storage, upload: Upload
) -> None:
    photo, event = upload(images.jpeg())
    with served(SlowDown) as url:
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


def test_a_lease_is_renewed_while_the_upload_is_read(
    graph: Graph,
    storage: Storage,
    proxied_storage: Storage,
    proxy: Proxy,
    *,
    upload: Upload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo, event = upload(large_jpeg())
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.2)
    proxy.narrow(150_000)  # ten seconds for the upload
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(processing.process, graph, proxied_storage, event)
        Town(graph).end_lease(event.id)

        def is_renewed() -> bool:
            status = graph.events.by_id(event.id)
            assert status
            assert status.event.cursor == 0, "the upload has been read"
            return (status.due_in_seconds or 0) > 10

        assert eventually(is_renewed, seconds=9, every=0.05)
        assert not running.done()
        proxy.resume()
        running.result(timeout=30)
    assert state(graph, photo) == "ready"
    assert object_names(storage.photos, photo.path) == COMPLETE


def test_an_upload_that_takes_too_long_to_read_is_an_outage_and_read_no_further(
    graph: Graph,
    storage: Storage,
    proxied_storage: Storage,
    proxy: Proxy,
    *,
    upload: Upload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo, event = upload(large_jpeg())
    proxy.narrow(500_000)
    with monkeypatch.context() as patch:
        patch.setattr(processing, "STORING_SECONDS", 0.5)
        patch.setattr(processing, "render_in_child", lambda *_: pytest.fail("read to the end"))
        with pytest.raises(StorageUnavailableError):
            processing.process(graph, proxied_storage, event)
    assert state(graph, photo) == "processing"
    finish_later(graph, storage, photo, event)


def large_jpeg() -> bytes:
    """A small picture in a file of 1.5 MB."""
    return images.jpeg() + bytes(1_500_000)


def test_a_worker_whose_lease_is_lost_reads_the_upload_no_further(
    graph: Graph,
    proxied_storage: Storage,
    proxy: Proxy,
    upload: Upload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, event = upload(large_jpeg())
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.2)
    monkeypatch.setattr(processing, "render_in_child", lambda *_: pytest.fail("read to the end"))
    proxy.narrow(150_000)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(processing.process, graph, proxied_storage, event)
        release(graph, event.id, event.epoch, delay_seconds=0)
        assert claim(graph, event.id, event.epoch + 1)
        with pytest.raises(FencedError):
            running.result(timeout=9)
        proxy.resume()


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


# Case 45
def test_a_silent_s3_costs_one_photo_its_time_out_and_puts_the_others_off_at_once(
    graph: Graph,
    storage: Storage,
    proxy: Proxy,
    upload: Upload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(photos_module, "READ_SECONDS", 1.0)
    settings = replace(
        StorageSettings.from_env(Env()), s3_endpoint_url=f"http://127.0.0.1:{proxy.port}"
    )
    silent = replace(storage, photos=Photos(settings))
    waiting = [upload(images.jpeg()) for _ in range(5)]
    proxy.swallow()
    seconds = []
    for _photo, event in waiting:
        job = due(graph, event)
        began = time.monotonic()
        assert run(graph, silent, job.id, job.epoch) == "outage"
        seconds.append(time.monotonic() - began)
    proxy.resume()
    time_out, *others = seconds
    assert time_out > photos_module.READ_SECONDS, "the first one shows that S3 is away"
    assert sum(others) < time_out
    assert [due(graph, event).cursor for _photo, event in waiting] == [0] * len(waiting)

    def all_done() -> bool:
        for photo, event in waiting:
            if state(graph, photo) == "processing":
                job = due(graph, event)
                run(graph, silent, job.id, job.epoch)
        return {state(graph, photo) for photo, _event in waiting} == {"ready"}

    eventually(all_done)
    silent.photos.close()
