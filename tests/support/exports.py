"""Exports for tests: photos with originals in S3, the turns of a worker, and the downloads."""

import io
import json
import secrets
import zipfile
from typing import Any

import requests

from graph import Graph
from graph.events import Event
from graph.exports import Export
from graph.ids import new_id
from storage import Storage
from tests.support.outbox import run
from tests.support.stage import Stage
from tests.support.town import Town

MOST_TURNS = 60
"""No export of a test has so many parts."""


def add_photo(
    graph: Graph, storage: Storage, owner_id: int, data: bytes, content_type: str = "image/jpeg"
) -> int:
    """A photo in the state `ready`, whose original is in S3."""
    town = Town(graph)
    photo = town.waiting_photo(owner_id, content_type=content_type, size_bytes=len(data))
    storage.photos.store_original(photo.path, data, content_type)
    town.set_ready(photo.id)
    return photo.id


def noise(size: int) -> bytes:
    """Bytes that no compression makes smaller."""
    return secrets.token_bytes(size)


def ask(graph: Graph, user_id: int, *, most: int = 100) -> tuple[int, Event]:
    """A new export and its event."""
    created = graph.exports.create(
        export_id=new_id(), user_id=user_id, path=secrets.token_urlsafe(16), most=most
    )
    assert created.event
    return created.export.id, created.event


def take_turns(graph: Graph, storage: Storage, event: Event) -> list[str]:
    """Do the turns of an export's event until none is left; the outcome of each."""
    outcomes: list[str] = []
    town = Town(graph)
    while found := town.find_event(event.id):
        assert len(outcomes) < MOST_TURNS
        town.end_lease(event.id)
        outcomes.append(run(graph, storage, event.id, found.epoch))
    return outcomes


def links_of(storage: Storage, export: Export) -> list[str]:
    """The links to the parts, as the API signs them."""
    return [
        storage.exports.link(export.path, part.number, part.epoch, seconds=60)
        for part in export.parts
    ]


def download(links: list[str]) -> list[dict[str, bytes]]:
    """The files of each part, by name. Asserts that each part is whole by itself."""
    return [files_of(requests.get(link, timeout=30).content) for link in links]


def files_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as part:
        assert part.testzip() is None
        names = part.namelist()
        assert len(names) == len(set(names))
        return {name: part.read(name) for name in names}


def parts_of(graph: Graph, storage: Storage, user_id: int) -> list[dict[str, bytes]]:
    """Ask for an export, make it, and download its parts."""
    export_id, event = ask(graph, user_id)
    assert take_turns(graph, storage, event)[-1] == "done"
    export = graph.exports.by_id(export_id, user_id=user_id)
    assert export.state == "ready"
    return download(links_of(storage, export))


def listed(parts: list[dict[str, bytes]], stem: str) -> list[Any]:
    """The items of a list in all of its files, in order."""
    items = []
    for number, files in enumerate(parts, start=1):
        for name in (f"{stem}.json", f"{stem}-{number}.json"):
            items += json.loads(files.get(name, b"[]"))
    return items


def object_count(storage: Storage, path: str) -> int:
    """How many objects an export has in S3, recorded or not."""
    return len(storage.exports._keys(path))


def ids_of(people: list[dict[str, str]]) -> list[int]:
    """The ids of a list of people."""
    return [int(person["id"]) for person in people]


def post(stage: Stage, author: int, photo_ids: list[int], caption: str = "") -> int:
    """The id of a new post."""
    return stage.town.create_post(author, photo_ids=photo_ids, caption=caption).subject_id
