"""The order in which the copies of a hidden user go."""

from feed.hiding import hide_user
from graph.ids import new_id
from storage.bodies import body_key
from storage.sessions import SessionCopy
from tests.support.stage import Stage


def test_the_copies_of_sessions_go_after_the_bodies(stage: Stage) -> None:
    """Who repeats a request is signed in as long as something may be left to do."""
    user, session_id = stage.town.user(), new_id()
    post = stage.town.create_post(user).subject_id
    sessions = stage.storage.sessions
    token = sessions.reserve(user, session_id)
    assert token
    copy = SessionCopy(user_id=user, secret_sha256="5e" * 32, expires_at=2**40)
    assert sessions.fill(session_id, token, copy)
    stores = stage.behind_proxies()
    hold = stores.to.cache.hold(body_key(post).encode())
    hiding = stage.begin(hide_user, stores.graph, stores.storage, user, [session_id])
    hold.wait()
    assert sessions.read(user, session_id) == copy
    hold.release()
    hiding.result(20)
    assert sessions.read(user, session_id) is None
