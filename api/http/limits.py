"""Rate limits: 429 with Retry-After above a quota, and RateLimit headers before it is reached."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ParamSpec, TypeVar

from flask import Response, g, request

from api.http import context
from bounds.networks import network_of, range_of
from storage.limits import LimitUse, Policy

P = ParamSpec("P")
R = TypeVar("R")

MINUTE, HOUR, DAY = 60, 3600, 86_400
"""In seconds."""

GENERAL = Policy(name="general", quota=1200, window_seconds=MINUTE)
"""All requests of a signed-in user."""

FAILING_TOKENS = Policy(name="failing-tokens", quota=60, window_seconds=MINUTE)
"""Requests from one network whose token is not valid. Each process counts for itself."""

ENDED_SIGN_OUTS = Policy(name="ended-sign-outs", quota=60, window_seconds=MINUTE)
"""Sign-outs by the token of one session that has ended. They cost its user nothing: who holds the
token may have stolen it."""

NAME_CHANGES = Policy(name="name-changes", quota=60, window_seconds=HOUR)
"""Requests of a user that set a name: each discards the copies of the user's posts everywhere."""

DELETIONS = Policy(name="deletions", quota=10, window_seconds=DAY)
"""Deletions of a user's account, which can be undone: the event of each is stored for a week, and
each ends an export that does not count then."""

NOTIFICATIONS = Policy(name="notifications", quota=120, window_seconds=MINUTE)
"""Pages and counts of a user's notifications: each reads up to 1,000 of them in the graph."""

FOLLOWS = Policy(name="follows", quota=1_000, window_seconds=HOUR)
"""Requests of a user that begin or end a follow or a block: each writes an event for workers. An
import of 500 follows passes, also if each is sent twice."""

PUSH_SUBSCRIPTIONS = Policy(name="push-subscriptions", quota=60, window_seconds=HOUR)
"""Registrations of a user's browsers. One that is ended is stored for a day."""

REPORTS = Policy(name="reports", quota=100, window_seconds=DAY)
"""Reports of a user, repeated ones too. Operators read each."""

PUBLISHES = Policy(name="publishes", quota=120, window_seconds=HOUR)
"""Posts of a user."""

EXPORT_LINKS = Policy(name="export-links", quota=30, window_seconds=MINUTE)
"""Pages of the parts of a user's exports: to sign 100 links takes 0.1 s of CPU."""

UPLOADS = Policy(name="uploads", quota=600, window_seconds=HOUR)
"""Photos of a user."""


def daily_uploads() -> tuple[Policy, Policy]:
    """The policies of a user's new photos and of their bytes in a day, from the settings."""
    settings = context.settings()
    photos = Policy(name="upload-photos", quota=settings.upload_photos_a_day, window_seconds=DAY)
    size = Policy(name="upload-bytes", quota=settings.upload_bytes_a_day, window_seconds=DAY)
    return scale(photos, settings.limits_scale), scale(size, settings.limits_scale)


def daily_exports() -> Policy:
    """The policy of a user's exports in a day, from the settings. The graph counts them."""
    settings = context.settings()
    policy = Policy(name="exports", quota=settings.exports_a_day, window_seconds=DAY)
    return scale(policy, settings.limits_scale)


class TooManyRequestsError(Exception):
    """The quota of a policy is used up."""

    def __init__(self, policy: Policy, use: LimitUse) -> None:
        super().__init__(f"At most {policy.quota} in {policy.window_seconds} s ({policy.name}).")
        self.retry_after = max(1, use.reset_seconds)


def consume(policy: Policy, subject: int | str) -> None:
    """Count one use by the subject, a user's id or an address. Raises TooManyRequestsError."""
    scaled_policy = scale(policy, context.settings().limits_scale)
    record(scaled_policy, context.storage().limits.take(scaled_policy, subject))


def record(policy: Policy, use: LimitUse) -> None:
    """Note a counted use for the response's headers. Raises TooManyRequestsError if over quota."""
    g.setdefault("limit_uses", []).append((policy, use))
    if not use.allowed:
        raise TooManyRequestsError(policy, use)


def scale(policy: Policy, factor: float) -> Policy:
    """The policy with its quota multiplied, at least 1."""
    return replace(policy, quota=max(1, int(policy.quota * factor)))


def limit(policy: Policy) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a view inside `login_required`: each call counts one use by the viewer."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def limited_view(*args: P.args, **kwargs: P.kwargs) -> R:
            consume(policy, context.viewer_id())
            return view(*args, **kwargs)

        return limited_view

    return decorate


def client_network() -> str:
    """The client's IPv4 address or its IPv6 /64, which one household or machine has to itself."""
    return network_of(request.remote_addr or "")


def client_range() -> str:
    """The IPv4 /24 or the IPv6 /48 of the client: the most that one customer usually has."""
    return range_of(request.remote_addr or "")


def add_headers(response: Response) -> Response:
    """Add the RateLimit headers of the quotas that the request used."""
    uses: list[tuple[Policy, LimitUse]] = g.get("limit_uses", [])
    if uses:
        response.headers.update(rate_limit_headers(uses))
    return response


def rate_limit_headers(uses: Sequence[tuple[Policy, LimitUse]]) -> dict[str, str]:
    """`RateLimit-Policy` with each quota, and `RateLimit` with what is left of it."""
    return {
        "RateLimit-Policy": ", ".join(
            f'"{policy.name}";q={policy.quota};w={policy.window_seconds}' for policy, _ in uses
        ),
        "RateLimit": ", ".join(
            f'"{policy.name}";r={use.remaining};t={use.reset_seconds}' for policy, use in uses
        ),
    }
