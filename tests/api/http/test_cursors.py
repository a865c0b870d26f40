import base64

import pytest

from api.http.cursors import Cursors, InvalidCursorError
from feed.pages import Cursor

CURSORS = Cursors("a secret of the tests")
PATH = "/v1/me/feed"
VIEWER = 7


def test_a_signed_cursor_is_read_back_unchanged() -> None:
    for cursor in (Cursor("before", 2**53), Cursor("after", 0), Cursor("before", 1 << 40)):
        assert CURSORS.read(PATH, VIEWER, CURSORS.sign(PATH, VIEWER, cursor)) == cursor


# Security 8
@pytest.mark.parametrize(("path", "viewer"), [("/v1/users/1/posts", VIEWER), (PATH, 8)])
def test_a_cursor_of_another_path_or_viewer_is_refused(path: str, viewer: int) -> None:
    text = CURSORS.sign(PATH, VIEWER, Cursor("before", 9))
    with pytest.raises(InvalidCursorError):
        CURSORS.read(path, viewer, text)


# Security 8
def test_a_cursor_signed_with_another_secret_is_refused() -> None:
    text = Cursors("another secret").sign(PATH, VIEWER, Cursor("before", 9))
    with pytest.raises(InvalidCursorError):
        CURSORS.read(PATH, VIEWER, text)


# Security 8
def test_any_changed_character_makes_a_cursor_invalid() -> None:
    text = CURSORS.sign(PATH, VIEWER, Cursor("before", 123456789))
    for place in range(len(text)):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises(InvalidCursorError):
            CURSORS.read(PATH, VIEWER, changed)


# Security 8
@pytest.mark.parametrize("text", ["", "x", "====", "é" * 34, "A" * 34, "0", "A" * 5000, "\0"])
def test_text_that_is_not_a_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursorError):
        CURSORS.read(PATH, VIEWER, text)


# Security 7
def test_a_cursor_does_not_show_its_id() -> None:
    cursors = [Cursor("before", 376601649774628), Cursor("before", 376601649774629)]
    first, second = (
        base64.urlsafe_b64decode(CURSORS.sign(PATH, VIEWER, one) + "==") for one in cursors
    )
    for one, signed in zip(cursors, (first, second), strict=True):
        assert one.id.to_bytes(8) not in signed
    known = bytes(a ^ b for a, b in zip(first[:9], cursors[0].id.to_bytes(9), strict=True))
    assert bytes(a ^ b for a, b in zip(second[:9], known, strict=True)) != cursors[1].id.to_bytes(9)
