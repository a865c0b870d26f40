"""P1: a photo's processing from `complete` to `ready`, against bare Pillow, both by CPU time.

CPU time of our processes gives the photos a core processes: while the stores, on their machines,
do their part, a core works on other photos.
"""

import io
import multiprocessing.forkserver
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import requests
from PIL import Image

from bench.peers import bare_pillow
from bench.rows.row import Check, Row, Sides
from bench.stage.cores import CLIENT, on_core, thread_seconds
from bench.stage.folders import temporary_folder
from bench.stage.graphs import graph_settings
from bench.stage.measurement import Measurement
from bench.stage.pictures import are_alike, photograph
from bench.stage.run_context import RunContext
from graph import Graph, schema
from graph.events import Event
from graph.ids import new_id
from graph.photos import Photo
from observing import logs
from stack import LocalStack, StackSettings
from stack.ports import HOST
from storage import Storage, StorageSettings
from workers import outbox
from workers.photos.imaging import RENDITION_SIDES

PHOTOS, QUICK_PHOTOS = 12, 2
PICTURES = 4
"""Different pictures among the photos."""
PUT_SECONDS = 30
GET_SECONDS = 10
UPRIGHT = (3, 4)
"""Width to height of a rendition; the picture lies on its side in the file."""
MAX_DIFFERENCE = 2.0
"""Mean difference from bare Pillow's rendition, of 255, that rounding explains."""


@dataclass(slots=True, kw_only=True)
class _Photos:
    graph: Graph
    storage: Storage
    media_url: str
    folder: Path
    owner_id: int
    files: Sequence[Path]
    processed: list[tuple[Photo, Path]] = field(default_factory=list)
    """The photos of the last turn, with their files."""
    bare: dict[Path, dict[int, Path]] = field(default_factory=dict)
    """Bare Pillow's renditions by side, by file."""
    wall_seconds: float = 0.0
    """Elapsed time of a photo, mean of the last turn."""

    def ours(self) -> Measurement:
        """Photos that a core of workers processes in a second."""
        uploads = [(*self._upload(path), path) for path in self.files]
        self.processed.clear()
        before, began = _worker_seconds(), time.perf_counter()
        for photo, event, path in uploads:
            outbox.drain(self.graph, self.storage, event.queue, event.shard)
            self.processed.append((photo, path))
        self.wall_seconds = (time.perf_counter() - began) / len(uploads)
        return _measurement(_worker_seconds() - before, len(uploads), "worker")

    def against(self) -> Measurement:
        """Photos that a core renders in a second with bare Pillow."""
        before = thread_seconds()
        for path in self.files:
            self.bare[path] = bare_pillow.render(path, self.folder)
        return _measurement(thread_seconds() - before, len(self.files), "Pillow")

    def check(self) -> Check:
        """All photos of the last turn: `ready`, renditions like Pillow's, without metadata."""
        passed = all(self._is_right(photo, path) for photo, path in self.processed)
        return Check(
            what="photos", count=len(self.processed), passed=passed and bool(self.processed)
        )

    def _is_right(self, photo: Photo, path: Path) -> bool:
        now = self.graph.photos.get(photo.id)
        if now is None or now.state != "ready":
            return False
        return all(self._rendition_is_right(photo, path, side) for side in RENDITION_SIDES)

    def _rendition_is_right(self, photo: Photo, path: Path, side: int) -> bool:
        url = f"{self.media_url}/media/{photo.path}/{side}.jpg"
        answer = requests.get(url, timeout=GET_SECONDS)
        answer.raise_for_status()
        metadata = b"Exif" in answer.content or b"taken" in answer.content
        with Image.open(io.BytesIO(answer.content)) as ours, Image.open(self.bare[path][side]) as b:
            metadata = metadata or "icc_profile" in ours.info or "comment" in ours.info
            size = (side * UPRIGHT[0] // UPRIGHT[1], side)
            alike = are_alike(ours, b, within=MAX_DIFFERENCE)
            return not metadata and ours.size == size and alike

    def _upload(self, file: Path) -> tuple[Photo, Event]:
        """Upload a file as clients of the API do; returns the photo and its event."""
        data, path = file.read_bytes(), secrets.token_urlsafe(16)
        photo = self.graph.photos.create(
            photo_id=new_id(),
            owner_id=self.owner_id,
            path=path,
            content_type="image/jpeg",
            size_bytes=len(data),
            checksum_sha256=None,
            alt_text=None,
            expires_at=datetime.now(UTC) + timedelta(hours=1),
            key=None,
            fingerprint=None,
        )
        upload = self.storage.photos.presign_upload(
            path, content_type="image/jpeg", size_bytes=len(data), checksum_sha256=None
        )
        answer = requests.put(upload.url, data=data, headers=upload.headers, timeout=PUT_SECONDS)
        answer.raise_for_status()
        photo, event = self.graph.photos.complete(photo.id, owner_id=self.owner_id)
        if event is None:
            raise RuntimeError(f"Photo {photo.id} has no event.")
        return photo, event


def _measurement(seconds: float, photos: int, process: str) -> Measurement:
    return Measurement(value=photos / seconds, cpu_us={process: 1e6 * seconds / photos})


def _worker_seconds() -> float:
    """CPU time of this thread, and of the child processes that decode its pictures."""
    server = multiprocessing.forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]  # noqa: SLF001
    children = 0.0
    if server is not None:
        used = psutil.Process(server).cpu_times()
        children = used.user + used.system + used.children_user + used.children_system
    return thread_seconds() + children


@contextmanager
def _processing(run: RunContext) -> Iterator[Sides]:
    count = QUICK_PHOTOS if run.quick else PHOTOS
    with ExitStack() as closing:
        folder = closing.enter_context(temporary_folder("photos-"))
        run.report("drawing pictures")
        files = _write_pictures(folder, count, run.seed)
        run.report("starting Neo4j and S3")
        stack = closing.enter_context(
            LocalStack(StackSettings(folder=folder), report=run.report, stores=("neo4j", "s3"))
        )
        photos = closing.enter_context(_open(stack.env, folder, files))
        closing.enter_context(on_core(CLIENT))
        yield Sides(
            ours=photos.ours,
            against=photos.against,
            check=photos.check,
            context=lambda: {"a photo with its stores, ms": 1e3 * photos.wall_seconds},
            sizes={"photos": count, "bytes a photo": files[0].stat().st_size},
        )


def _write_pictures(folder: Path, count: int, seed: int) -> list[Path]:
    pictures = [photograph(seed + number) for number in range(min(count, PICTURES))]
    files = [folder / f"{number}.jpg" for number in range(count)]
    for number, file in enumerate(files):
        file.write_bytes(pictures[number % len(pictures)])
    return files


@contextmanager
def _open(env: dict[str, str], folder: Path, files: Sequence[Path]) -> Iterator[_Photos]:
    logs.configure("bench", level="error")  # the product's log lines would go into the table
    storage = Storage.open(_storage_settings(env))
    with Graph.open(graph_settings(env)) as graph:
        schema.apply(graph.connection)
        schema.warm(graph.connection)
        storage.photos.prepare_bucket()
        owner_id = new_id()
        graph.users.create(user_id=owner_id, username="owner", name="Owner", password_hash="-")  # noqa: S106
        yield _Photos(
            graph=graph,
            storage=storage,
            media_url=env["MEDIA_BASE_URL"],
            folder=folder,
            owner_id=owner_id,
            files=files,
        )
    storage.close()


def _storage_settings(env: dict[str, str]) -> StorageSettings:
    unused = f"redis://{HOST}:9/0"
    return StorageSettings(
        queue_url=unused,
        cache_url=unused,
        s3_endpoint_url=env["S3_ENDPOINT_URL"],
        s3_bucket=env["S3_BUCKET"],
        s3_access_key=env["AWS_ACCESS_KEY_ID"],
        s3_secret_key=env["AWS_SECRET_ACCESS_KEY"],
        s3_region=env["AWS_REGION"],
        media_base_url=env["MEDIA_BASE_URL"],
    )


ROWS = (
    Row(
        id="P1",
        title="photos a core, complete to ready : bare Pillow",
        unit="photos/s",
        target=0.85,
        better="higher",
        open=_processing,
    ),
)
