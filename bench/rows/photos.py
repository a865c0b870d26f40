"""A photo's way from `complete` to `ready`, by CPU time, against bare Pillow: P1.

What the stores do of it runs on their machines, and while they do a core works on other photos: so
it is the CPU time of ours that says how many photos a core makes ready.
"""

import io
import multiprocessing.forkserver
import secrets
import shutil
import tempfile
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
from bench.rows.row import Check, Measured, Row, Sides, Sizes
from bench.stage.caches import FOLDER
from bench.stage.cores import CLIENT, on_core
from bench.stage.pictures import alike, photograph
from graph import Graph, GraphSettings, schema
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
KINDS = 4
"""Different pictures among them."""
PUT_SECONDS = 30
UPRIGHT = (3, 4)
"""The sides' proportion of what lies on its side in the file."""
NEARLY = 2.0
"""Mean difference from bare Pillow's rendition, of 255, that rounding accounts for."""


@dataclass(slots=True, kw_only=True)
class _Darkroom:
    graph: Graph
    storage: Storage
    media_url: str
    folder: Path
    owner_id: int
    files: Sequence[Path]
    made: list[tuple[Photo, Path]] = field(default_factory=list)
    bare: dict[Path, dict[int, Path]] = field(default_factory=dict)
    wall_seconds: float = 0.0

    def ours(self) -> Measured:
        """Photos that a core of workers makes ready in a second."""
        owed = [(*self._uploaded(path), path) for path in self.files]
        self.made.clear()
        before, began = _cpu_seconds(), time.perf_counter()
        for photo, event, path in owed:
            outbox.run(self.graph, self.storage, event.id, event.epoch)
            self.made.append((photo, path))
        self.wall_seconds = (time.perf_counter() - began) / len(owed)
        return _measured(_cpu_seconds() - before, len(owed), "worker")

    def against(self) -> Measured:
        """Photos that a core of Pillow's renders in a second."""
        before = time.thread_time()
        for path in self.files:
            self.bare[path] = bare_pillow.render(path, self.folder)
        return _measured(time.thread_time() - before, len(self.files), "Pillow")

    def check(self) -> Check:
        """All photos of the last turn: `ready`, and every rendition as Pillow's, saying nothing."""
        passed = all(self._right(photo, path) for photo, path in self.made)
        return Check(what="photos", count=len(self.made), passed=passed and bool(self.made))

    def _right(self, photo: Photo, path: Path) -> bool:
        now = self.graph.photos.get(photo.id)
        if now is None or now.state != "ready":
            return False
        return all(self._shows(photo, path, side) for side in RENDITION_SIDES)

    def _shows(self, photo: Photo, path: Path, side: int) -> bool:
        answer = requests.get(f"{self.media_url}/media/{photo.path}/{side}.jpg", timeout=10)
        answer.raise_for_status()
        told = b"Exif" in answer.content or b"taken" in answer.content
        with Image.open(io.BytesIO(answer.content)) as ours, Image.open(self.bare[path][side]) as b:
            told = told or "icc_profile" in ours.info or "comment" in ours.info
            size = (side * UPRIGHT[0] // UPRIGHT[1], side)
            return not told and ours.size == size and alike(ours, b, within=NEARLY)

    def _uploaded(self, file: Path) -> tuple[Photo, Event]:
        """A photo of this file as the API leaves it, with the event that it owes."""
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
        allowed = self.storage.photos.presign_upload(
            path, content_type="image/jpeg", size_bytes=len(data), checksum_sha256=None
        )
        sent = requests.put(allowed.url, data=data, headers=allowed.headers, timeout=PUT_SECONDS)
        sent.raise_for_status()
        photo, event = self.graph.photos.complete(photo.id, owner_id=self.owner_id)
        if event is None:
            raise RuntimeError(f"Photo {photo.id} owes no event.")
        return photo, event


def _measured(seconds: float, photos: int, process: str) -> Measured:
    return Measured(value=photos / seconds, cpu_us={process: 1e6 * seconds / photos})


def _cpu_seconds() -> float:
    """Of this thread, and of the children in which it has pictures decoded: to be subtracted."""
    server = multiprocessing.forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]  # noqa: SLF001
    children = 0.0
    if server is not None:
        used = psutil.Process(server).cpu_times()
        children = used.user + used.system + used.children_user + used.children_system
    return time.thread_time() + children


@contextmanager
def _darkroom(sizes: Sizes) -> Iterator[Sides]:
    count = QUICK_PHOTOS if sizes.quick else PHOTOS
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="photos-", dir=FOLDER))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        sizes.say("makes pictures")
        files = _pictures(folder, count, sizes.seed)
        sizes.say("starts Neo4j and S3")
        running = stack.enter_context(
            LocalStack(StackSettings(folder=folder), say=sizes.say, stores=("neo4j", "s3"))
        )
        room = stack.enter_context(_opened(running.env, folder, files))
        stack.enter_context(on_core(CLIENT))
        yield Sides(
            ours=room.ours,
            against=room.against,
            check=room.check,
            context=lambda: {"a photo with its stores, ms": 1e3 * room.wall_seconds},
            sizes={"photos": count, "bytes a photo": files[0].stat().st_size},
        )


def _pictures(folder: Path, count: int, seed: int) -> list[Path]:
    kinds = [photograph(seed + number) for number in range(min(count, KINDS))]
    files = [folder / f"{number}.jpg" for number in range(count)]
    for number, file in enumerate(files):
        file.write_bytes(kinds[number % len(kinds)])
    return files


@contextmanager
def _opened(env: dict[str, str], folder: Path, files: Sequence[Path]) -> Iterator[_Darkroom]:
    logs.configure("bench", level="error")  # the lines of ours are written, but not into the table
    storage = Storage.open(_storage_settings(env))
    with Graph.open(_graph_settings(env)) as graph:
        schema.apply(graph.connection)
        schema.warm(graph.connection)
        storage.photos.prepare_bucket()
        owner_id = new_id()
        graph.users.create(user_id=owner_id, username="owner", name="Owner", password_hash="-")  # noqa: S106
        yield _Darkroom(
            graph=graph,
            storage=storage,
            media_url=env["MEDIA_BASE_URL"],
            folder=folder,
            owner_id=owner_id,
            files=files,
        )
    storage.close()


def _graph_settings(env: dict[str, str]) -> GraphSettings:
    return GraphSettings(
        uri=env["NEO4J_URI"],
        user=env["NEO4J_USER"],
        password=env["NEO4J_PASSWORD"],
        database=env["NEO4J_DATABASE"],
    )


def _storage_settings(env: dict[str, str]) -> StorageSettings:
    unasked = f"redis://{HOST}:9/0"
    return StorageSettings(
        queue_url=unasked,
        cache_url=unasked,
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
        ready=_darkroom,
    ),
)
