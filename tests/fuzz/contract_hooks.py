"""What schemathesis needs of photofeed: a user for each run, and another one when a session ends.

The run itself ends sessions and changes passwords, as clients do. schemathesis asks again for a
token after a 401. `FUZZ_URL` is the API's address.
"""

import os
import secrets
from typing import Any

import requests
import schemathesis

URL = os.environ["FUZZ_URL"]
TOKEN_SECONDS = 600
SECONDS = 30


@schemathesis.auth(refresh_interval=TOKEN_SECONDS)
class NewUser:
    """Signs up a user and sends the token as people's clients do."""

    def get(self, _case: Any, _context: Any) -> str:
        """The token of a new user."""
        account = {"username": f"f{secrets.token_hex(8)}", "password": secrets.token_urlsafe(16)}
        answer = requests.post(f"{URL}/v1/accounts", json=account, timeout=SECONDS)
        answer.raise_for_status()
        return str(answer.json()["auth_token"])

    def set(self, case: Any, data: str, _context: Any) -> None:
        """Add the token to a request."""
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}
