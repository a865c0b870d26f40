import pytest

from api.http.cursors import Cursors, InvalidCursorError
from feed.pages import Cursor

CURSORS = Cursors("a secret of the tests")
ROUTE = "me.feed"
VIEWER = 7


def test_a_cursor_comes_back_as_it_was_signed() -> None:
    for cursor in (Cursor("before", 2**53), Cursor("after", 0), Cursor("before", 1 << 40)):
        assert CURSORS.read(ROUTE, VIEWER, CURSORS.sign(ROUTE, VIEWER, cursor)) == cursor


@pytest.mark.parametrize(("route", "viewer"), [("users.posts", VIEWER), (ROUTE, 8)])
def test_a_cursor_of_another_route_or_viewer_is_refused(route: str, viewer: int) -> None:
    text = CURSORS.sign(ROUTE, VIEWER, Cursor("before", 9))
    with pytest.raises(InvalidCursorError):
        CURSORS.read(route, viewer, text)


def test_a_cursor_under_another_secret_is_refused() -> None:
    text = Cursors("another secret").sign(ROUTE, VIEWER, Cursor("before", 9))
    with pytest.raises(InvalidCursorError):
        CURSORS.read(ROUTE, VIEWER, text)


def test_any_changed_character_makes_a_cursor_invalid() -> None:
    text = CURSORS.sign(ROUTE, VIEWER, Cursor("before", 123456789))
    for place in range(len(text)):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises(InvalidCursorError):
            CURSORS.read(ROUTE, VIEWER, changed)


@pytest.mark.parametrize("text", ["", "x", "====", "é" * 34, "A" * 34, "0", "A" * 5000, "\0"])
def test_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursorError):
        CURSORS.read(ROUTE, VIEWER, text)
