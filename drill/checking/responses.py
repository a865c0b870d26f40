"""Rules on responses: P7 on server errors, P1 on refusals, P6 and P1 on sessions."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from http import HTTPStatus

from drill.checking.evidence import Evidence
from drill.checking.operations import Operation
from drill.http_status import is_server_error, is_success

SIGNED_IN_OPS = {
    *("read", "page", "post", "delete", "rename"),
    *("follow", "unfollow", "block", "unblock"),
    *("stream", "subscribe"),
}
"""Operations that need a session."""
UNCHECKED = {0, HTTPStatus.UNAUTHORIZED, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
"""No response; a refused session, which `check_sessions` checks; a key in flight; a limit."""


def check_responses(evidence: Evidence) -> None:
    """P7: no server error but a 503 with Retry-After. P1: no refusal without a reason."""
    for op in evidence.ops:
        status = op.facts.get("status")
        if status is None or status in UNCHECKED or is_success(status):
            continue
        if is_server_error(status):
            _check_server_error(evidence, op)
            continue
        allowed = ALLOWED_REFUSALS.get((op.op, status))
        if not (allowed and allowed(evidence, op)):
            _add_violation(evidence, "P1", f"refused-{op.facts.get('code') or status}", op)


def check_sessions(evidence: Evidence) -> None:
    """P6: no token is accepted after its sign-out. P1: none is refused before it."""
    sign_outs: dict[str, list[Operation]] = defaultdict(list)
    for op in evidence.ops:
        if op.op == "sign-out":
            sign_outs[op.facts["token"]].append(op)
    for op in evidence.ops:
        token = str(op.facts.get("token") or op.facts.get("by"))
        if op.op == "use" and op.phase == "ok":
            _check_accepted(evidence, op, token, sign_outs[token])
        elif op.op in SIGNED_IN_OPS and op.facts.get("status") == HTTPStatus.UNAUTHORIZED:
            _check_refused(evidence, op, token, sign_outs[token])


def _check_server_error(evidence: Evidence, op: Operation) -> None:
    if op.facts["status"] != HTTPStatus.SERVICE_UNAVAILABLE:
        _add_violation(evidence, "P7", "server-error", op)
    elif not op.facts["retry_after"]:
        _add_violation(evidence, "P7", "no-retry-after", op)


def _add_violation(evidence: Evidence, promise: str, kind: str, op: Operation) -> None:
    text = f"{op.op} of {op.session} was answered {op.facts['status']} {op.facts.get('code')}"
    evidence.findings.add_violation(promise, kind, text, op)


def _check_accepted(
    evidence: Evidence, op: Operation, token: str, sign_outs: list[Operation]
) -> None:
    done = [sign_out for sign_out in sign_outs if sign_out.phase == "ok"]
    before = [sign_out for sign_out in done if sign_out.end <= op.start]
    if before:
        text = f"{token} was accepted after its sign-out"
        evidence.findings.add_violation("P6", "session-revived", text, before[0], op)


def _check_refused(
    evidence: Evidence, op: Operation, token: str, sign_outs: list[Operation]
) -> None:
    if not any(sign_out.start <= op.end for sign_out in sign_outs):
        text = f"{token} was refused without a sign-out"
        evidence.findings.add_violation("P1", "session-lost", text, op)


def _may_be_hidden(evidence: Evidence, op: Operation) -> bool:
    """Whether a block between the two may hide the followee."""
    viewer, author = op.facts["viewer"], op.facts["author"]
    pairs = ((viewer, author), (author, viewer))
    return any(evidence.model.blocks[pair].may_hold(op.start, op.end) for pair in pairs)


def _may_be_blocked_back(evidence: Evidence, op: Operation) -> bool:
    """Whether the user to block may have blocked the blocker, and so be hidden."""
    pair = op.facts["blocked"], op.facts["blocker"]
    return evidence.model.blocks[pair].may_hold(op.start, op.end)


def _may_be_deleted(evidence: Evidence, op: Operation) -> bool:
    return evidence.model.posts[op.facts["tag"]].may_be_deleted(op.end)


ALLOWED_REFUSALS: Mapping[tuple[str, int], Callable[[Evidence, Operation], bool]] = {
    ("follow", HTTPStatus.NOT_FOUND): _may_be_hidden,
    ("unfollow", HTTPStatus.NOT_FOUND): _may_be_hidden,
    ("block", HTTPStatus.NOT_FOUND): _may_be_blocked_back,
    ("post", HTTPStatus.GONE): _may_be_deleted,
}
"""By operation and status, the condition under which the promises allow the refusal.

The deletion of a deleted post is a 204."""
