"""Sign-ins and sign-ups from addresses that no other test uses."""

import secrets
from collections import Counter
from collections.abc import Iterable

from flask import Flask

from storage.limits import Policy
from tests.support.people import PASSWORD, call_api
from tests.support.transports import ApiResponse

WRONG = "not the password"


def an_address() -> str:
    """An IPv6 address in a /48 that no other test uses."""
    return f"2001:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"


def neighbour_of(address: str, number: int) -> str:
    """An address of another /64 in the same /48."""
    return f"{address.removesuffix('::1')}:{number:x}::1"


def an_ipv4_address() -> str:
    """An address in a /24 that hardly another test uses."""
    return ".".join(["10", *(str(1 + byte % 250) for byte in secrets.token_bytes(3))])


def unknown_name() -> str:
    return f"nobody{secrets.token_hex(8)}"


def sign_in_from(app: Flask, address: str, username: str, password: str = WRONG) -> ApiResponse:
    body = {"username": username, "password": password}
    return call_api(app, "POST", "/v1/sessions", json=body, headers={"X-Forwarded-For": address})


def sign_up_from(app: Flask, address: str, username: str = "", **body: str) -> ApiResponse:
    account = {"username": username or f"u{secrets.token_hex(8)}", "password": PASSWORD, **body}
    return call_api(app, "POST", "/v1/accounts", json=account, headers={"X-Forwarded-For": address})


def statuses(responses: Iterable[ApiResponse]) -> Counter[int]:
    return Counter(response.status_code for response in responses)


def a_policy(name: str, quota: int) -> Policy:
    """A policy with a name of this test run: no other has counted under it."""
    return Policy(name=f"{name}-{secrets.token_hex(4)}", quota=quota, window_seconds=3_600)
