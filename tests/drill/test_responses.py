"""The check finds responses and sessions that the promises do not allow."""

from typing import Any

import pytest

from tests.drill.script import ANA, BEN, EVE, Script, kinds


@pytest.mark.parametrize(
    ("status", "facts", "kind"),
    [
        (500, {"code": "internal-error"}, "server-error"),
        (502, {}, "server-error"),
        (503, {"code": "graph-unavailable", "retry_after": False}, "no-retry-after"),
        (400, {"code": "invalid-cursor"}, "refused-invalid-cursor"),
        (401, {"code": "not-signed-in"}, "session-lost"),
    ],
)
def test_a_response_that_is_never_allowed_is_found(
    script: Script, status: int, facts: dict[str, Any], kind: str
) -> None:
    script.do("read", phase="fail", viewer=BEN, token="s2", status=status, **facts)
    assert kinds(script) == [kind]


def test_a_503_with_retry_after_is_no_violation(script: Script) -> None:
    script.do("read", phase="fail", viewer=BEN, status=503, retry_after=True)
    assert kinds(script) == []


def test_a_404_for_the_deletion_of_an_acknowledged_post_is_found(script: Script) -> None:
    script.do("delete", phase="fail", author=ANA, id=10, tag="p10", status=404, code="not-found")
    assert kinds(script) == ["refused-not-found"]


def test_a_404_for_a_follow_is_allowed_only_after_a_block(script: Script) -> None:
    script.do("follow", phase="fail", viewer=EVE, author=ANA, status=404, code="not-found")
    script.do("block", blocker=ANA, blocked=EVE)
    script.do("follow", phase="fail", viewer=EVE, author=ANA, status=404, code="not-found")
    assert kinds(script) == ["refused-not-found"]


def test_a_token_accepted_after_its_sign_out_is_found(script: Script) -> None:
    script.do("use", viewer=BEN, token="s2")
    script.do("sign-out", token="s2")
    script.do("use", viewer=BEN, token="s2", phase="fail", status=401)
    script.do("use", viewer=BEN, token="s2")
    assert kinds(script) == ["session-revived"]
