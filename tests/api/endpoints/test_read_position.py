"""The read position and the number of unread posts, over HTTP."""

import pytest
from flask import Flask

from feed.bodies import bodies_of
from feed.unread import TAIL_ENTRIES
from graph import Graph
from graph.ids import new_id
from storage import Storage
from storage.timeline_layout import timeline_key
from tests.support.eventually import eventually
from tests.support.people import Builders, Person, assert_problem
from tests.support.town import Town

POSITION, UNREAD = "/v1/me/feed/position", "/v1/me/feed/unread"


def unread(person: Person) -> tuple[int, bool, str | None]:
    response = person.get(UNREAD)
    assert response.status_code == 200, response.text
    return response.json["count"], response.json["capped"], response.json["newest_id"]


def move(person: Person, post_id: int | str) -> None:
    assert person.put(POSITION, json={"post_id": str(post_id)}).status_code == 204


def one_unread(builders: Builders) -> tuple[Person, str]:
    """A user with one unread post, and the id of the post."""
    ana, ben = builders.new_user(), builders.new_user()
    ana.follow(ben)
    return ana, builders.publish(ben)["id"]


def test_an_empty_feed_has_nothing_unread(builders: Builders) -> None:
    assert unread(builders.new_user()) == (0, False, None)


@pytest.mark.parametrize("dropped", [False, True])
def test_the_timeline_and_the_graph_give_the_same_count(
    builders: Builders, storage: Storage, dropped: bool
) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    ana.follow(ben)
    posts = [builders.publish(ben)["id"] for _ in range(3)]
    own = builders.publish(ana)["id"]
    storage.timelines.drop(ana.id)
    if not dropped:
        ana.feed()  # schedules the rebuild
        eventually(lambda: len(storage.timelines.entries(ana.id)) == 5)
    assert unread(ana) == (3, False, own)
    move(ana, posts[1])
    assert unread(ana) == (1, False, own)
    move(ana, posts[0])
    assert unread(ana) == (1, False, own)
    assert ben.delete(f"/v1/posts/{posts[2]}").status_code == 204
    assert unread(ana) == (0, False, own)
    storage.read_positions.drop(ana.id)
    assert unread(ana) == (0, False, own)


@pytest.mark.parametrize(
    "body",
    [{}, {"post_id": 1}, {"post_id": "x"}, {"post_id": str(2**53 + 1)}, {"post_id": "1", "x": 1}],
)
def test_an_invalid_position_is_422(builders: Builders, body: dict[str, object]) -> None:
    assert_problem(builders.new_user().put(POSITION, json=body), 422, "invalid-fields")


def test_a_future_id_is_422(builders: Builders, graph: Graph) -> None:
    ana = builders.new_user()
    response = ana.put(POSITION, json={"post_id": str(new_id() + (60_000 << 12))})
    assert_problem(response, 422, "invalid-fields")
    assert graph.read_positions.read(ana.id) == 0


def cache_commands(person: Person, storage: Storage) -> list[str]:
    """The names and keys of the commands of one count, without those of the session."""
    with storage.cache.client.monitor() as monitor:  # type: ignore[no-untyped-call]
        unread(person)
        storage.cache.client.echo("the end")
        commands: list[str] = []
        while not commands or not commands[-1].startswith("ECHO"):
            command = monitor.next_command()
            if command["client_type"] != "lua":
                commands.append(command["command"])
    print(commands)
    wanted = [line for line in commands if any(key in line for key in ("rp:", "tl:", " p:"))]
    return [" ".join(line.split()[:2]).partition(":")[0] for line in wanted]


def test_a_cached_count_reads_position_and_ids_then_the_bodies_that_matter(
    builders: Builders, storage: Storage
) -> None:
    ana, post = one_unread(builders)
    ana.feed()
    eventually(lambda: storage.timelines.entries(ana.id) == [0, int(post)])
    unread(ana)
    assert cache_commands(ana, storage) == ["GET rp", "LRANGE tl", "EXPIRE tl", "GET p"]


def test_a_cached_count_of_an_empty_feed_reads_no_body(
    builders: Builders, storage: Storage
) -> None:
    ana = builders.new_user()
    ana.feed()
    eventually(lambda: storage.timelines.entries(ana.id) == [0])
    unread(ana)
    assert cache_commands(ana, storage) == ["GET rp", "LRANGE tl", "EXPIRE tl"]


def test_own_posts_at_the_tail_do_not_hide_unread_posts_below_them(
    builders: Builders, storage: Storage, graph: Graph
) -> None:
    """The newest entries do not decide here, so the whole list is read."""
    ana, town = builders.new_user(), Town(graph)
    ben, now = town.user(), new_id()
    town.add_followees(ana.id, ben)
    read = town.old_posts(ben, [now - (900 + n) * (1 << 24) for n in range(5)])
    town.old_posts(ben, [now - (800 + n) * (1 << 24) for n in range(3)])
    own = town.old_posts(ana.id, [now - n * (1 << 24) for n in range(TAIL_ENTRIES + 20)])
    ana.feed()
    eventually(lambda: len(storage.timelines.entries(ana.id)) == TAIL_ENTRIES + 29)
    bodies_of(graph, storage, storage.timelines.entries(ana.id)[1:])  # caches them
    move(ana, read[0])
    unread(ana)  # copies the position
    commands = cache_commands(ana, storage)
    assert commands.count("LRANGE tl") == 2
    assert commands.count("GET p") == TAIL_ENTRIES + 23, "no body is read twice"
    assert unread(ana) == (3, False, str(own[0]))


@pytest.mark.parametrize("built", [True, False])
def test_the_count_is_capped_at_100(
    builders: Builders, storage: Storage, graph: Graph, built: bool
) -> None:
    ana, town = builders.new_user(), Town(graph)
    ben = town.user()
    town.add_followees(ana.id, ben)
    posts = town.old_posts(ben, [new_id() - n * (1 << 24) for n in range(102)])
    if built:
        ana.feed()
        eventually(lambda: len(storage.timelines.entries(ana.id)) == 103)
        ana.get("/v1/me/feed?limit=100")  # caches the bodies
    assert unread(ana) == (100, True, str(posts[0]))
    move(ana, posts[-1])
    assert unread(ana) == (100, True, str(posts[0]))
    move(ana, posts[-2])
    assert unread(ana) == (100, False, str(posts[0]))
    storage.timelines.drop(ana.id)
    assert unread(ana) == (100, False, str(posts[0]))


def test_an_unfinished_list_is_not_counted(builders: Builders, storage: Storage) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    ana.follow(ben)
    posts = [builders.publish(ben)["id"] for _ in range(2)]
    ana.feed()
    eventually(lambda: len(storage.timelines.entries(ana.id)) == 3)
    storage.timelines.drop(ana.id)
    assert storage.timelines.begin(ana.id)
    storage.timelines.push([ana.id], int(posts[1]), read_at=0)
    assert unread(ana) == (2, False, posts[1])


def test_counting_renews_the_lists_ttl(builders: Builders, storage: Storage) -> None:
    ana = builders.new_user()
    ana.feed()
    eventually(lambda: storage.timelines.entries(ana.id) == [0])
    key = timeline_key(ana.id)
    storage.cache.client.expire(key, 100)
    unread(ana)
    assert storage.cache.client.ttl(key) > 100


def test_without_the_cache_the_count_comes_from_the_graph_and_is_marked(
    builders: Builders, app_without_cache: Flask
) -> None:
    ana, post = one_unread(builders)
    response = ana.on(app_without_cache).get(UNREAD)
    assert response.status_code == 200
    assert response.headers["Photofeed-Degraded"] == "cache"
    assert response.json == {"count": 1, "capped": False, "newest_id": post}


def test_a_position_refused_without_the_cache_is_set_on_repeat(
    builders: Builders, app_without_cache: Flask
) -> None:
    ana, post = one_unread(builders)
    assert unread(ana) == (1, False, post)
    response = ana.on(app_without_cache).put(POSITION, json={"post_id": post})
    assert_problem(response, 503, "cache-unavailable")
    move(ana, post)
    assert unread(ana) == (0, False, post)
