"""Photos in each of their states, by the way that photos take."""

from graph import Graph
from tests.support.town import Town


def state_of(graph: Graph, photo_id: int) -> str | None:
    photo = graph.photos.get(photo_id)
    return photo.state if photo else None


def photo_in(graph: Graph, town: Town, owner: int, state: str) -> int:
    """The id of a new photo in this state."""
    photo_id = town.waiting_photo(owner).id
    if state in {"processing", "ready", "failed"}:
        _, event = graph.photos.complete(photo_id, owner_id=owner)
        assert event
        if state == "ready":
            graph.photos.set_ready(photo_id, event, width=1, height=1, blurhash="x")
    if state == "failed":
        graph.photos.set_failed(photo_id, "truncated")
    if state == "deleted":
        graph.photos.delete(photo_id, owner_id=owner)
    return photo_id
