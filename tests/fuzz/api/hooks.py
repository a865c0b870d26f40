"""What schemathesis asks while it runs: a signed-in user, ids that exist, uploads of photos.

`SCHEMATHESIS_HOOKS` names this module, FUZZ_TOWN the file with the ids of the town, and
FUZZ_STATUSES the file for the number of responses by operation and status.
"""

import atexit
import json
import os
import secrets
import time
import zlib
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
import schemathesis

from api.services.photos import CONTENT_TYPES, MAX_PHOTO_BYTES
from tests.fuzz.api.exceptions import is_exception
from tests.fuzz.api.town import TownIds
from tests.support.images import jpeg

TOWN = TownIds.read(Path(os.environ["FUZZ_TOWN"]))
URL = os.environ["FUZZ_URL"]
PASSWORD = "a long password of the fuzz"
PICTURE = jpeg(400, 400)
SECONDS = 30
TRIES = 20
"""Of a request that is 503: the machine can be busy."""

statuses: Counter[str] = Counter()


@atexit.register
def _write_statuses() -> None:
    Path(os.environ["FUZZ_STATUSES"]).write_text(json.dumps(statuses))


class Account:
    """A user with a session, who follows the town, and whose photos become ready."""

    def __init__(self) -> None:
        account = {"username": f"fuzz_{secrets.token_hex(6)}", "password": PASSWORD}
        self.token = ""
        self.token = str(self.send("POST", "/v1/accounts", json=account).json()["auth_token"])
        for user_id in TOWN.users[:3]:
            self.send("PUT", f"/v1/me/following/{user_id}")
        self.photo_ids: list[str] = [self.upload() for _ in range(3)]

    def send(self, method: str, path: str, **request: Any) -> requests.Response:
        """The answer to a request of this user. Raises for another one than 2xx, after tries."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        for _ in range(TRIES):
            answer = requests.request(
                method, URL + path, headers=headers, timeout=SECONDS, **request
            )
            if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            time.sleep(1)
        answer.raise_for_status()
        return answer

    def upload(self) -> str:
        """The id of a photo that soon is ready."""
        photo = {"content_type": "image/jpeg", "size_bytes": len(PICTURE)}
        created = self.send("POST", "/v1/me/photos", json=photo).json()
        put_picture(created["upload"])
        self.send("POST", f"/v1/me/photos/{created['id']}/complete")
        return str(created["id"])


def put_picture(upload: dict[str, Any]) -> None:
    """Upload the picture where the API says."""
    requests.put(
        upload["url"], data=PICTURE, headers=upload["headers"], timeout=SECONDS
    ).raise_for_status()


class Accounts:
    """The account of the requests. Each 401 brings another one: cases end sessions."""

    current: Account

    def get(self, _case: Any, _context: Any) -> str:
        """A token."""
        Accounts.current = Account()
        return Accounts.current.token

    def set(self, case: Any, token: str, _context: Any) -> None:
        """Sign the case in."""
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}


schemathesis.auth()(Accounts)


def _is_replaced(drawn: Any) -> bool:
    """Whether what was drawn is replaced by what exists: half of it, always the same half."""
    return zlib.crc32(repr(drawn).encode("utf-8", "surrogatepass")) % 2 == 0


EXISTING = {
    "user_id": TOWN.users,
    "post_id": TOWN.posts,
}


@schemathesis.hook
def map_path_parameters(_context: Any, path_parameters: Any) -> Any:
    """Name what exists in half of the requests."""
    return {name: _existing(name, value) for name, value in (path_parameters or {}).items()}


def _existing(name: str, value: Any) -> Any:
    known = EXISTING.get(name, [])
    if name == "photo_id" and hasattr(Accounts, "current"):
        known = Accounts.current.photo_ids
    is_id = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16
    if not known or not is_id or not _is_replaced(value):
        return value
    return known[int(value) % len(known)]


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Post photos that are ready, and ask for uploads of the picture, in half of the requests."""
    operation = context.operation.label if context.operation else ""
    if not isinstance(body, dict) or not _is_replaced(body):
        return body
    if operation == "POST /v1/me/photos" and _is_valid_upload(body):
        return {"content_type": "image/jpeg", "size_bytes": len(PICTURE)}
    if operation == "POST /v1/me/feed" and _has_ids(body) and hasattr(Accounts, "current"):
        photo_ids = Accounts.current.photo_ids
        return {**body, "photo_ids": [photo_ids.pop()]} if photo_ids else body
    return body


def _is_valid_upload(body: dict[str, Any]) -> bool:
    """An invalid one stays so: its answer is judged as that of what was drawn."""
    if body.keys() != {"content_type", "size_bytes"}:
        return False
    size, kind = body["size_bytes"], body["content_type"]
    return type(size) is int and 0 < size <= MAX_PHOTO_BYTES and kind in CONTENT_TYPES


def _has_ids(body: dict[str, Any]) -> bool:
    ids = body.get("photo_ids")
    return isinstance(ids, list) and bool(ids) and all(isinstance(one, str) for one in ids)


@schemathesis.hook
def after_call(_context: Any, case: Any, response: Any) -> None:
    """Count the response; upload the picture where an upload of it was created."""
    statuses[f"{case.operation.label} {response.status_code}"] += 1
    if case.operation.label != "POST /v1/me/photos" or response.status_code != 201:
        return
    if isinstance(case.body, dict) and case.body.get("size_bytes") == len(PICTURE):
        created = response.json()
        put_picture(created["upload"])
        Accounts.current.photo_ids.append(created["id"])


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Leave out the exceptions."""
    is_problem = "problem+json" in "".join(response.headers.get("content-type", []))
    problem = response.json() if is_problem else {}
    return not is_exception(type(failure).__name__, case.operation.label, problem)
