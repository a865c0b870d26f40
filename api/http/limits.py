"""How often one may ask: 429 with Retry-After beyond it, and headers that tell in time."""

import functools
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ParamSpec, TypeVar

from flask import Response, g, request

from api.http import context
from graph.users import folded
from storage.limits import Policy, Taken

P = ParamSpec("P")
R = TypeVar("R")

MINUTE, HOUR = 60, 3600

GENERAL = Policy(name="general", quota=1200, window_seconds=MINUTE)
"""All requests of a signed-in user together."""

SIGN_UPS = Policy(name="sign-ups", quota=30, window_seconds=HOUR)
"""New accounts from one address."""

SIGN_INS = Policy(name="sign-ins", quota=10, window_seconds=5 * MINUTE)
"""Tries at one account from one address."""

SIGN_INS_OF_ACCOUNT = Policy(name="sign-ins-of-account", quota=1000, window_seconds=HOUR)
"""Tries at one account from anywhere: so many that no single address locks its owner out."""

SIGN_INS_OF_ADDRESS = Policy(name="sign-ins-of-address", quota=100, window_seconds=5 * MINUTE)
"""Tries at any account from one address."""

PASSWORD_CHANGES = Policy(name="password-changes", quota=10, window_seconds=5 * MINUTE)
"""Guesses of a signed-in user's own password."""

PUBLISHES = Policy(name="publishes", quota=120, window_seconds=HOUR)
UPLOADS = Policy(name="uploads", quota=600, window_seconds=HOUR)


class TooManyRequestsError(Exception):
    """The quota is used up."""

    def __init__(self, policy: Policy, taken: Taken) -> None:
        super().__init__(f"At most {policy.quota} in {policy.window_seconds} s ({policy.name}).")
        self.retry_after = max(1, taken.reset_seconds)


def take(policy: Policy, subject: str) -> None:
    """Use up one of the subject's requests. Raises TooManyRequestsError."""
    allowed = scaled(policy)
    note(allowed, context.storage().limits.take(allowed, subject))


def note(policy: Policy, taken: Taken) -> None:
    """Have the answer tell of a use that was counted. Raises TooManyRequestsError."""
    g.setdefault("taken", []).append((policy, taken))
    if not taken.allowed:
        raise TooManyRequestsError(policy, taken)


def scaled(policy: Policy) -> Policy:
    """The policy as this app's settings want it."""
    return scaled_by(policy, context.settings().limits_scale)


def scaled_by(policy: Policy, scale: float) -> Policy:
    """The policy with its quota as the settings want it."""
    return replace(policy, quota=max(1, int(policy.quota * scale)))


def limited(policy: Policy) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a view behind `login_required`: every call uses up one of the viewer's."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def counted(*args: P.args, **kwargs: P.kwargs) -> R:
            take(policy, str(context.viewer_id()))
            return view(*args, **kwargs)

        return counted

    return decorate


def take_sign_in(username: str) -> None:
    """Use up one try at an account. Raises TooManyRequestsError."""
    account, address = folded(username), client_network()
    take(SIGN_INS_OF_ADDRESS, address)
    take(SIGN_INS, f"{account} {address}")
    take(SIGN_INS_OF_ACCOUNT, account)


def client_network() -> str:
    """The client's address, of IPv6 its /64: one household or machine has all of that."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def tell(response: Response) -> Response:
    """Say in the answer how much is left of each quota that the request used."""
    used: list[tuple[Policy, Taken]] = g.get("taken", [])
    if used:
        response.headers.update(told(used))
    return response


def told(used: Sequence[tuple[Policy, Taken]]) -> dict[str, str]:
    """The headers that say it."""
    return {
        "RateLimit-Policy": ", ".join(
            f'"{policy.name}";q={policy.quota};w={policy.window_seconds}' for policy, _ in used
        ),
        "RateLimit": ", ".join(
            f'"{policy.name}";r={taken.remaining};t={taken.reset_seconds}' for policy, taken in used
        ),
    }
