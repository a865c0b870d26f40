from drill.load.connection import Response
from drill.load.reader import page_facts
from drill.load.watcher import WATCH_LIMIT
from drill.run import TIMELINE_CAP


def post(post_id: str, author_id: str, name: str) -> dict[str, object]:
    return {"id": post_id, "caption": f"p{post_id}", "author": {"id": author_id, "name": name}}


def test_the_history_records_each_name_of_each_author_on_a_page_once() -> None:
    posts = [
        post("4", "2", "Ben"),
        post("3", "1", "A2"),
        post("2", "1", "A1"),
        post("1", "1", "A1"),
    ]
    facts = page_facts(Response(status=200, body={"posts": posts, "next": "c"}))
    assert facts["names"] == [[1, "A1"], [1, "A2"], [2, "Ben"]]
    assert facts["posts"][0] == [4, 2, "p4"]
    assert facts["next"]


def test_a_response_that_is_no_page_has_no_facts() -> None:
    assert page_facts(Response(status=503)) == {}


def test_a_timeline_can_prove_the_page_that_a_watcher_reads() -> None:
    assert WATCH_LIMIT <= TIMELINE_CAP
