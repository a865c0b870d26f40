"""Taking a post back."""

from api.services.events import drawing, ring
from graph import Graph
from graph.ids import new_id
from storage import Storage


def delete_post(graph: Graph, storage: Storage, post_id: int, *, author_id: int) -> None:
    """Delete the author's post; the same again within 24 hours is fine.

    Once this returns no page shows it; its photos go by the event. Raises NotFoundError, and
    StorageUnavailableError where that cannot be promised yet: the same request finishes the job.
    """
    event = drawing(lambda: graph.posts.delete(post_id, author_id=author_id, event_id=new_id()))
    storage.bodies.tombstone([post_id])  # on a repeat too: the first try may have died here
    ring(storage, event)
