import os
import socket
import subprocess
import sys
from http import HTTPStatus

import psutil
import pytest
import requests

from tests.support.eventually import eventually


def run(stack_env: dict[str, str], *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api", *words],
        env={**os.environ, **stack_env, **changed},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_init_prepares_the_stores_and_again_changes_nothing(stack_env: dict[str, str]) -> None:
    for _ in range(2):
        done = run(stack_env, "init")
        assert (done.returncode, done.stderr) == (0, "")
        assert "bucket is ready" in done.stdout


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"NEO4J_URI": "bolt://127.0.0.1:1"}, "Neo4j: Couldn't connect to 127.0.0.1:1"),
        ({"NEO4J_PASSWORD": "wrong"}, "authentication failure"),
        ({"S3_ENDPOINT_URL": "http://127.0.0.1:1"}, "s3 is unavailable"),
    ],
)
def test_init_says_in_a_sentence_what_is_wrong(
    stack_env: dict[str, str], changed: dict[str, str], said: str
) -> None:
    done = run(stack_env, "init", **changed)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    ("variable", "other", "said"),
    [
        ("CACHE_REDIS_URL", "QUEUE_REDIS_URL", "The cache's Redis has timeout 0. Set it to 10"),
        ("QUEUE_REDIS_URL", "CACHE_REDIS_URL", "maxmemory-policy volatile-lru. Set it to noevict"),
    ],
)
def test_init_refuses_a_redis_that_would_break_a_promise(
    stack_env: dict[str, str], variable: str, other: str, said: str
) -> None:
    done = run(stack_env, "init", **{variable: stack_env[other]})
    assert done.returncode == 1
    assert said in done.stderr


def test_every_missing_setting_is_named_at_once(stack_env: dict[str, str]) -> None:
    without = {**os.environ, **stack_env}
    del without["NEO4J_URI"], without["S3_BUCKET"]
    done = subprocess.run(
        [sys.executable, "-m", "api", "init"],
        env=without,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "NEO4J_URI: Environment variable not set.",
        "S3_BUCKET: Environment variable not set.",
    ]


def test_the_pages_refuse_to_be_served_behind_a_short_password(stack_env: dict[str, str]) -> None:
    done = run(stack_env, "admin", ADMIN_PASSWORD="admin", ADMIN_PORT=str(free_port()))
    assert done.returncode == 1
    assert "ADMIN_PASSWORD" in done.stderr


def test_the_pages_are_served_on_loopback_alone_until_sigterm(stack_env: dict[str, str]) -> None:
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "api", "admin"],
        env={**os.environ, **stack_env, "ADMIN_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        url = f"http://127.0.0.1:{port}/metrics"
        eventually(lambda: answers(url), seconds=30)
        listening = {
            connection.laddr.ip
            for process in [psutil.Process(server.pid), *psutil.Process(server.pid).children()]
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}
        password = stack_env["ADMIN_PASSWORD"]
        answer = requests.get(url, auth=("admin", password), timeout=10)
        assert "photofeed_store_up" in answer.text
        server.terminate()
        assert server.wait(timeout=20) == 0
    finally:
        server.kill()
        server.wait(timeout=5)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).status_code == HTTPStatus.UNAUTHORIZED
    except requests.ConnectionError:
        return False
