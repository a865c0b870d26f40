import base64
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from graph import Graph
from operators.admin.app import AdminSettings, create_admin_app
from storage import Storage

PASSWORD = "a-password-of-the-tests"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def basic(password: str, user: str = "admin") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def settings(metrics_dir: Path | None = None) -> AdminSettings:
    return AdminSettings(
        port=0,
        password=PASSWORD,
        metrics_dir=metrics_dir,
        api_url="http://127.0.0.1:8000",
        browser_url="http://127.0.0.1:7474/browser/",
    )


@pytest.fixture(scope="session")
def app(graph: Graph, storage: Storage, stack_env: dict[str, str]) -> Flask:
    return create_admin_app(settings(), graph, storage, stack_env["QUEUE_REDIS_URL"])


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """A client without the password."""
    return app.test_client()


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    """A browser on the app's own pages that sends the password."""
    client = app.test_client()
    for name, value in {**basic(PASSWORD), **SAME_ORIGIN}.items():
        client.environ_base[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return client


@pytest.fixture
def queue_client(stack_env: dict[str, str]) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(stack_env["QUEUE_REDIS_URL"], protocol=2) as client:
        yield client


@pytest.fixture
def queue_name() -> str:
    """The name of a queue that no other test uses."""
    return f"admin-test-{os.getpid()}-{secrets.token_hex(4)}"
