"""What makes an event: ids not seen before, risen notifications; and what makes none."""

from collections.abc import Callable

import pytest

from api.live.counting import UNKNOWN_COUNT
from graph.ids import new_id
from storage import Storage
from tests.api.live.conftest import Reader
from tests.support.live import LiveClient


def test_a_stream_begins_with_its_headers_a_retry_and_what_was_seen(reader: Reader) -> None:
    newest = reader.push(reader.follow_new())
    client = reader.open()
    assert client.headers["content-type"] == "text/event-stream"
    assert client.headers["cache-control"] == "no-store"
    assert client.headers["x-accel-buffering"] == "no"
    assert client.headers["x-request-id"]
    assert client.headers["x-content-type-options"] == "nosniff"
    assert client.retry == "5000"
    assert client.last_id == f"{newest}-0"
    client.assert_no_more()


def test_a_new_post_makes_a_tick_with_the_unread_count(reader: Reader) -> None:
    author = reader.follow_new()
    client = reader.open()
    for number in range(1, 4):
        newest = reader.push(author)
        tick = client.wait("tick", number)
        assert tick.data == {
            "newest_id": str(newest),
            "unread": {"count": number, "capped": False},
        }
        assert tick.id == f"{newest}-0"
    client.assert_no_more()


def test_a_count_is_that_of_the_route_for_unread_posts(reader: Reader) -> None:
    author, client = reader.follow_new(), reader.open()
    first = reader.push(author)
    client.wait("tick")
    assert (
        reader.person.put("/v1/me/feed/position", json={"post_id": str(first)}).status_code == 204
    )
    own = int(reader.builders.publish(reader.person)["id"])
    tick = client.wait("tick", 2)
    assert tick.data == {"newest_id": str(own), "unread": {"count": 0, "capped": False}}
    for _ in range(3):
        reader.push(author)
    last = client.wait("tick", 3)
    route = reader.person.read("/v1/me/feed/unread")
    if last.data["newest_id"] != route["newest_id"]:
        last = client.wait("tick", 4)
    assert {"newest_id": last.data["newest_id"], **last.data["unread"]} == route


def test_a_late_post_below_the_tail_makes_a_tick(reader: Reader) -> None:
    author = reader.follow_new()
    late, newer = new_id(), int(reader.builders.publish(author)["id"])
    reader.push_id(newer)
    client = reader.open()
    reader.push_id(late)
    assert client.wait("tick").id == f"{newer}-0", "the newest id stays"
    client.assert_no_more()


def test_leaving_and_following_again_makes_no_tick(reader: Reader, storage: Storage) -> None:
    stays, leaves = reader.follow_new(), reader.follow_new()
    ids = [reader.push(author) for author in (stays, leaves, stays, leaves)]
    client = reader.open()
    assert reader.person.delete(f"/v1/me/following/{leaves.id}").status_code == 204
    token = drop_and_begin(storage, reader.id)
    assert storage.timelines.finish(reader.id, token, [ids[0], ids[2]], watermark=0)
    client.assert_no_more()
    reader.person.follow(leaves)
    token = drop_and_begin(storage, reader.id)
    assert storage.timelines.finish(reader.id, token, ids, watermark=0)
    client.assert_no_more()
    newest = reader.push(leaves)
    assert client.wait("tick").data["newest_id"] == str(newest)


def test_old_posts_that_move_into_the_window_are_no_news(reader: Reader, storage: Storage) -> None:
    author = reader.follow_new()
    ids = [new_id() for _ in range(40)]
    for post_id in ids:
        reader.push_id(post_id)
    client = reader.open()
    token = drop_and_begin(storage, reader.id)
    assert storage.timelines.finish(reader.id, token, ids[:25], watermark=0)
    client.assert_no_more()
    newest = reader.push(author)
    assert client.wait("tick").id == f"{newest}-0"


def drop_and_begin(storage: Storage, user_id: int) -> str:
    storage.timelines.drop(user_id)
    token = storage.timelines.begin(user_id)
    assert token
    return token


def test_a_reconnect_ticks_at_once_if_something_newer_is_there(reader: Reader) -> None:
    author = reader.follow_new()
    first, second = reader.push(author), reader.push(author)
    client = reader.open(last_event_id=f"{first}-0")
    assert client.wait("tick").id == f"{second}-0"
    again = reader.open(last_event_id=f"{second}-0")
    again.assert_no_more()
    client.assert_no_more()


@pytest.mark.parametrize("text", ["nonsense", "7", "1-2-3", f"{2**60}-0", "-5-0"])
def test_a_malformed_last_event_id_is_ignored(reader: Reader, text: str) -> None:
    reader.push(reader.follow_new())
    reader.open(last_event_id=text).assert_no_more()


def test_a_header_tells_what_was_seen_too(
    reader: Reader, connect: Callable[..., LiveClient]
) -> None:
    newest = reader.push(reader.follow_new())
    headers = {"Last-Event-ID": "1-0"}
    client = connect(reader.server.url, token=reader.person.token, **headers)
    assert client.wait("tick").id == f"{newest}-0"


def test_a_new_notification_makes_an_event_once(reader: Reader) -> None:
    client = reader.open()
    reader.builders.new_user().follow(reader.person)
    event = client.wait("notification")
    first = event.data["newest_id"]
    assert event.id.endswith(f"-{first}")
    exact = {"count": 1, "capped": False}
    assert event.data["unread"] in (exact, UNKNOWN_COUNT)  # a busy machine may count too late
    reader.builders.new_user().follow(reader.person)
    second = client.wait("notification", 2).data["newest_id"]
    assert int(second) > int(first)
    client.assert_no_more()
    again = reader.open(last_event_id=f"0-{first}")
    assert again.wait("notification").id.endswith(f"-{second}")


def test_a_missing_timeline_is_built_and_ticks(reader: Reader) -> None:
    author = reader.builders.new_user()
    reader.person.follow(author)
    reader.storage.timelines.drop(reader.id)
    client = reader.open()
    newest = reader.push(author)  # into the list, if it is built already
    assert client.wait("tick").id == f"{newest}-0"
    assert newest in reader.storage.timelines.entries(reader.id)


def test_no_timeline_is_built_while_a_follow_ends(reader: Reader) -> None:
    author = reader.follow_new()
    client = reader.open()
    assert reader.person.delete(f"/v1/me/following/{author.id}").status_code == 204
    client.assert_no_more()
    assert reader.storage.timelines.entries(reader.id) == []
