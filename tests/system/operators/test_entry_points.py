"""The commands `python -m api init` and `python -m api admin`, as processes."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

import psutil
import pytest
import requests

from tests.support.eventually import eventually
from tests.support.private_server import start


def run(env: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api", *words],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_init_prepares_the_stores_and_can_be_repeated(stack_env: dict[str, str]) -> None:
    for _ in range(2):
        done = run(stack_env, "init")
        assert (done.returncode, done.stderr) == (0, "")
        assert "bucket is ready" in done.stdout


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"NEO4J_URI": "bolt://127.0.0.1:1"}, "Neo4j: Couldn't connect to 127.0.0.1:1"),
        ({"NEO4J_PASSWORD": "wrong"}, "authentication failure"),
        ({"S3_ENDPOINT_URL": "http://127.0.0.1:1"}, "s3 is unavailable"),
    ],
)
def test_init_reports_an_unusable_store_in_a_sentence(
    stack_env: dict[str, str], changes: dict[str, str], message: str
) -> None:
    done = run({**stack_env, **changes}, "init")
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    ("variable", "other", "message"),
    [
        ("CACHE_REDIS_URL", "QUEUE_REDIS_URL", "The cache's Redis has timeout 0. Set it to 10"),
        ("QUEUE_REDIS_URL", "CACHE_REDIS_URL", "maxmemory-policy volatile-lru. Set it to noevict"),
    ],
)
def test_init_refuses_a_redis_whose_settings_break_a_promise(
    stack_env: dict[str, str], variable: str, other: str, message: str
) -> None:
    done = run({**stack_env, variable: stack_env[other]}, "init")
    assert done.returncode == 1
    assert message in done.stderr


def test_init_refuses_a_cache_that_may_drop_any_key_and_leaves_its_data(
    stack_env: dict[str, str], tmp_path: Path
) -> None:
    with start(tmp_path, "maxmemory-policy allkeys-lru", "timeout 10") as cache:
        cache.client.set("somebody's", "data")
        done = run({**stack_env, "CACHE_REDIS_URL": cache.url}, "init")
        assert done.returncode == 1
        assert "maxmemory-policy allkeys-lru. Set it to volatile-lru" in done.stderr
        assert cache.client.get("somebody's") == b"data"


def test_all_missing_settings_are_named_together(
    stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = ("NEO4J_URI", "S3_BUCKET")
    for name in missing:
        monkeypatch.delenv(name, raising=False)
    env = {name: value for name, value in stack_env.items() if name not in missing}
    done = run(env, "init")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "NEO4J_URI: Environment variable not set.",
        "S3_BUCKET: Environment variable not set.",
    ]


# Security 22
def test_the_admin_app_refuses_a_short_password(stack_env: dict[str, str]) -> None:
    env = {**stack_env, "ADMIN_PASSWORD": "admin", "ADMIN_PORT": str(free_port())}
    done = run(env, "admin")
    assert done.returncode == 1
    assert "ADMIN_PASSWORD" in done.stderr


# Security 22
def test_the_admin_app_listens_on_loopback_only_and_ends_on_sigterm(
    stack_env: dict[str, str],
) -> None:
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "api", "admin"],
        env={**os.environ, **stack_env, "ADMIN_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        url = f"http://127.0.0.1:{port}/metrics"
        eventually(lambda: asks_for_a_password(url))
        addresses = {
            connection.laddr.ip
            for process in [psutil.Process(server.pid), *psutil.Process(server.pid).children()]
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert addresses == {"127.0.0.1"}
        password = stack_env["ADMIN_PASSWORD"]
        response = requests.get(url, auth=("admin", password), timeout=10)
        assert "photofeed_store_up" in response.text
        server.terminate()
        assert server.wait(timeout=20) == 0
    finally:
        server.kill()
        server.wait(timeout=5)


def asks_for_a_password(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).status_code == HTTPStatus.UNAUTHORIZED
    except requests.ConnectionError:
        return False
