"""Photos that nobody posts expire, and never one that is posted or completed at the same time."""

import threading
from functools import partial

import pytest

from graph import Graph
from graph.events import Event
from graph.ids import new_id
from graph.photos import UPGRADE_NAME
from tests.support.concurrency import run_together
from tests.support.eventually import eventually
from tests.support.photo_states import photo_in, state_of
from tests.support.town import Town


def expire_all(graph: Graph) -> int:
    """Expire every photo that is due; the sum of what the calls say."""
    return sum(iter(partial(graph.photos.expire, 1000), 0))


@pytest.mark.parametrize(
    ("state", "times"),
    [
        ("waiting", {"unposted_until": 24.0, "objects_until": 26.0}),
        ("processing", {"unposted_until": 168.0}),
        ("ready", {"unposted_until": 24.0}),
        ("failed", {"unposted_until": 168.0, "objects_until": 2.0}),
        ("deleted", {"unposted_until": 25.0, "objects_until": 2.0}),
    ],
)
def test_an_unposted_photo_has_the_times_of_its_state(
    graph: Graph, town: Town, state: str, times: dict[str, float]
) -> None:
    photo_id = photo_in(graph, town, town.user(), state)
    assert town.photo_times(photo_id) == times


@pytest.mark.parametrize(
    ("state", "objects_are_due"), [("waiting", False), ("processing", True), ("ready", True)]
)
def test_a_photo_that_nobody_posts_expires_and_its_objects_are_due(
    graph: Graph, town: Town, state: str, *, objects_are_due: bool
) -> None:
    owner = town.user()
    overdue, fresh = (photo_in(graph, town, owner, state) for _ in range(2))
    town.query("MATCH (p:Photo {id: $id}) SET p.unposted_until = timestamp() - 1", id=overdue)
    expire_all(graph)
    assert (state_of(graph, overdue), state_of(graph, fresh)) == ("expired", state)
    times = town.photo_times(overdue)
    assert times
    assert times["unposted_until"] == 168.0
    assert (overdue in graph.photos.with_objects(100_000)) == objects_are_due
    assert ("objects_until" in times) is True


def test_a_posted_photo_has_no_time_and_never_expires(graph: Graph, town: Town) -> None:
    owner = town.user()
    posted, posted_by_an_older_version = town.photo(owner), town.photo(owner)
    town.post(owner, photo_ids=[posted, posted_by_an_older_version])
    assert town.photo_times(posted) == {}
    town.query(
        "MATCH (photo:Photo {id: $id}) SET photo.unposted_until = 1", id=posted_by_an_older_version
    )
    expire_all(graph)
    assert state_of(graph, posted_by_an_older_version) == "ready"
    assert town.photo_times(posted_by_an_older_version) == {}


def test_a_photo_is_posted_or_expires_but_never_both(graph: Graph, town: Town) -> None:
    owner = town.user()
    outcomes = set()
    for _ in range(30):
        photo_id = town.photo(owner)
        town.end_photo_times(photo_id)
        posted, expired = run_together(
            partial(town.create_post, owner, photo_ids=[photo_id]),
            partial(graph.photos.expire, 1000),
        )
        assert isinstance(expired, int), expired
        expire_all(graph)
        is_posted = isinstance(posted, Event)
        assert state_of(graph, photo_id) == ("ready" if is_posted else "expired")
        outcomes.add(is_posted)
    assert outcomes, "both are possible; which are seen depends on the machine"


POSTED = (
    "CREATE (:Post {id: $other, author_id: 0, created_at: 0})-[:SHOWS {position: 0, photo_id: $id}]"
    "->(photo) REMOVE photo.unposted_until"
)
POSTED_BY_AN_OLDER_VERSION = POSTED.removesuffix(" REMOVE photo.unposted_until")
RENEWED = "SET photo.unposted_until = timestamp() + 60000"


@pytest.mark.parametrize("change", [POSTED, POSTED_BY_AN_OLDER_VERSION, RENEWED])
def test_a_photo_that_is_posted_or_renewed_while_its_expiry_waits_for_it_stays(
    graph: Graph, town: Town, change: str
) -> None:
    photo_id = town.photo(town.user())
    town.end_photo_times(photo_id)
    with town.locked_photo(photo_id) as other:
        other.run(
            f"MATCH (photo:Photo {{id: $id}}) {change}", id=photo_id, other=new_id()
        ).consume()
        expiring = threading.Thread(target=expire_all, args=(graph,))
        expiring.start()
        eventually(town.blocked_by_locks)
        other.commit()
        expiring.join(20)
    assert state_of(graph, photo_id) == "ready"


def test_a_photo_is_completed_or_expires_but_never_both(graph: Graph, town: Town) -> None:
    owner = town.user()
    for _ in range(10):
        photo_id = town.waiting_photo(owner).id
        town.end_photo_times(photo_id)
        completed, expired = run_together(
            partial(graph.photos.complete, photo_id, owner_id=owner),
            partial(graph.photos.expire, 1000),
        )
        assert isinstance(completed, tuple), completed
        assert isinstance(expired, int), expired
        state = state_of(graph, photo_id)
        assert state == ("processing" if isinstance(completed[1], Event) else "expired")


def test_nodes_of_failed_expired_and_deleted_photos_are_deleted_in_the_end(
    graph: Graph, town: Town
) -> None:
    owner = town.user()
    ended = [photo_in(graph, town, owner, state) for state in ("failed", "deleted", "waiting")]
    town.query("MATCH (p:Photo) WHERE p.id IN $ids SET p.unposted_until = 1", ids=ended)
    expire_all(graph)
    assert [state_of(graph, photo) for photo in ended] == ["failed", "deleted", "expired"]
    assert town.photo_times(ended[1]) == {"unposted_until": 1.0, "objects_until": 2.0}, "put off"
    town.end_photo_times(*ended)
    graph.photos.set_without_objects(ended, [])
    expire_all(graph)
    assert [state_of(graph, photo) for photo in ended] == [None, None, None]


def test_photos_whose_objects_could_not_be_removed_are_due_again_later(
    graph: Graph, town: Town
) -> None:
    owner = town.user()
    done, failed, renewed = (photo_in(graph, town, owner, "deleted") for _ in range(3))
    town.end_photo_times(done, failed)
    due = graph.photos.with_objects(100_000)
    assert {done, failed} <= due.keys()
    assert renewed not in due
    graph.photos.set_without_objects([done, failed, renewed], [failed])
    assert [(town.photo_times(photo) or {}).get("objects_until") for photo in (done, failed)] == [
        None,
        1.0,
    ]
    assert (town.photo_times(renewed) or {}).get("objects_until") == 2.0, "it was not due"


def test_photos_of_older_versions_get_their_times_in_pages_and_posted_ones_none(
    graph: Graph, town: Town
) -> None:
    """Each call looks at a page, and the next goes on there, in another process too."""
    owner = town.user()
    states = ["waiting", "processing", "ready", "failed", "expired"]
    old = [photo_in(graph, town, owner, "waiting") for _ in range(7)]
    posted, new = town.photo(owner), photo_in(graph, town, owner, "ready")
    town.post(owner, photo_ids=[posted])
    town.query(
        "UNWIND range(0, size($ids) - 1) AS n MATCH (photo:Photo {id: $ids[n]})"
        " SET photo.state = $states[n % 5] REMOVE photo.unposted_until, photo.objects_until",
        ids=[*old, posted],
        states=states,
    )
    town.query("MATCH (photo:Photo {id: $id}) SET photo.state = 'ready'", id=posted)
    town.query(
        "MERGE (u:Upgrade {name: $name}) SET u.after_id = $after, u.done_at = null",
        name=UPGRADE_NAME,
        after=old[0] - 1,
    )
    town.query("MATCH (photo:Photo) WHERE photo.id > $id DETACH DELETE photo", id=new)
    counts = list(iter(partial(graph.photos.upgrade, 3), None))
    assert counts == [3, 3, 1, 0], "pages of three of nine photos; the last one is empty"
    assert [town.photo_times(photo) for photo in old[:5]] == [
        {"unposted_until": 24.0, "objects_until": 26.0},
        {"unposted_until": 168.0},
        {"unposted_until": 24.0},
        {"unposted_until": 168.0},
        {"unposted_until": 168.0, "objects_until": 0.0},
    ]
    assert town.photo_times(posted) == {}
    assert town.photo_times(new) == {"unposted_until": 24.0}
    town.query("MATCH (photo:Photo {id: $id}) REMOVE photo.unposted_until", id=old[0])
    assert graph.photos.upgrade(3) is None, "it is done for ever"
