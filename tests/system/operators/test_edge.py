"""deploy/Caddyfile before the API and S3: what the internet sees, and check-production."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from storage import Storage
from tests.support.edge import Edge, EdgePorts, edge_before
from tests.support.eventually import eventually
from tests.support.granian import asgi_command, free_port, serving
from tests.support.images import jpeg

STRONG = secrets.token_urlsafe(24)


@pytest.fixture(scope="module")
def edge(
    stack_env: dict[str, str], storage: Storage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Edge]:
    assert storage
    ports, api_port = EdgePorts.free(), free_port()
    env = {
        **stack_env,
        "LIMITS_SCALE": "1",
        "TRUSTED_PROXIES": "1",
        "MEDIA_BASE_URL": f"{ports.media_url}/{stack_env['S3_BUCKET']}",
        "ADMIN_PASSWORD": STRONG,
    }
    folder = tmp_path_factory.mktemp("edge")
    with (
        serving(asgi_command("asgi:app", api_port), api_port, env) as api,
        edge_before(api, env, ports, folder) as edge,
    ):
        yield edge


def check(edge: Edge, **changes: str) -> subprocess.CompletedProcess[str]:
    """The command that an operator runs, in the environment of the API."""
    words = ("check-production", "--url", edge.url, "--http-url", edge.http_url)
    return subprocess.run(
        [sys.executable, "-m", "api", *words],
        env={**os.environ, **edge.env, "REQUESTS_CA_BUNDLE": str(edge.authority), **changes},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


# Security 23
def test_http_is_redirected_and_https_has_hsts(edge: Edge) -> None:
    plain = requests.get(f"{edge.http_url}/v1/me", timeout=30, allow_redirects=False)
    assert plain.status_code == 308
    assert plain.headers["Location"].startswith("https://localhost")
    answer = edge.send("GET", "/v1/me")
    assert answer.status_code == 401
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.json()["code"] == "not-signed-in"


# Security 23
@pytest.mark.parametrize(
    "path", ["/readyz", "/docs", "/docs/start.js", "/openapi.json", "/readyz?a=1"]
)
def test_what_is_for_operators_is_not_served(edge: Edge, path: str) -> None:
    answer = edge.send("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert requests.get(edge.api.url + path, timeout=30).ok


# Security 23
def test_a_client_cannot_invent_its_address(edge: Edge) -> None:
    account = {"username": f"u{secrets.token_hex(8)}", "password": "no such password"}

    def guess(number: int) -> int:
        invented = {"X-Forwarded-For": f"198.51.100.{number}", "Forwarded": f"for=192.0.2.{number}"}
        return edge.send("POST", "/v1/sessions", json=account, headers=invented).status_code

    assert 429 in [guess(number) for number in range(30)]


# Security 23
def test_a_slow_body_does_not_reach_the_api(edge: Edge) -> None:
    eventually(lambda: edge.connections_to_api() == 0, seconds=60)
    head = b"POST /v1/accounts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"
    slow = [edge.connect() for _ in range(20)]
    for connection in slow:
        connection.sendall(head)
    assert edge.send("GET", "/livez").ok
    assert edge.connections_to_api() <= 2  # that of this request, seen from both ends
    for connection in slow:
        connection.close()


# Security 23
def test_a_rendition_has_nosniff_and_an_upload_is_private(edge: Edge, storage: Storage) -> None:
    path = secrets.token_hex(8)
    storage.photos.put_rendition(path, 320, jpeg(64, 64))
    storage.photos.store_original(path, jpeg(64, 64), "image/jpeg")

    def read(name: str) -> requests.Response:
        return requests.get(f"{edge.media_url}/{name}", verify=str(edge.authority), timeout=30)

    shown = read(f"media/{path}/320.jpg")
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/jpeg")
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    for name in (f"originals/{path}", "?list-type=2", "incoming/"):
        refused = read(name)
        assert refused.status_code in {403, 404}, (name, refused.content)
        assert refused.headers["X-Content-Type-Options"] == "nosniff"
    assert read("media/").content == b""  # a folder is no list


# Security 19, 23
@pytest.mark.parametrize("name", ["response-content-type", "Response-Content-Type"])
@pytest.mark.parametrize("form", ["{}/media/{}/320.jpg", "{}/%6dedia/{}/320.jpg"])
def test_a_rendition_has_the_type_of_a_picture_whatever_its_query(
    edge: Edge, storage: Storage, name: str, form: str
) -> None:
    path = secrets.token_hex(8)
    storage.photos.put_rendition(path, 320, jpeg(64, 64))
    shown = requests.get(
        f"{form.format(edge.media_url, path)}?a=1&{name}=text/html&response-cache-control=no-store",
        verify=str(edge.authority),
        timeout=30,
    )
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/jpeg")
    assert "immutable" in shown.headers["Cache-Control"]
    assert "sandbox" in shown.headers["Content-Security-Policy"]


# Security 23, 25
def test_no_secret_of_a_request_is_in_the_edges_log(edge: Edge) -> None:
    secret = f"pf_{secrets.token_urlsafe(30)}"
    edge.send("GET", f"/v1/me?token={secret}", headers={"Authorization": f"Bearer {secret}"})
    edge.send("GET", f"/v1/live?ticket={secret}")
    eventually(lambda: edge.log.read_text().count("/v1/") >= 2)
    assert secret not in edge.log.read_text()


# Security 23
def test_a_ready_edge_passes_the_check(edge: Edge) -> None:
    done = check(edge)
    assert done.stderr == ""
    assert "NOT SO" not in done.stdout, done.stdout
    assert done.returncode == 0


# Security 23
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"LIMITS_SCALE": "1000"}, "LIMITS_SCALE is 1: it is 1000"),
        ({"LIMITS_SCALE": "many"}, "LIMITS_SCALE is 1: it is many"),
        ({"TRUSTED_PROXIES": "0"}, "TRUSTED_PROXIES counts"),
        ({"ADMIN_PASSWORD": "admin"}, "ADMIN_PASSWORD cannot be guessed: it has 5 characters"),
        ({"CACHE_REDIS_URL": "redis://:a@10.0.0.1:6379/0"}, "CACHE_REDIS_URL is encrypted"),
        ({"CORS_ORIGINS": "https://a,http://b"}, "CORS_ORIGINS has no origin without TLS"),
        ({"MEDIA_BASE_URL": "http://127.0.0.1:8333/photofeed"}, "MEDIA_BASE_URL has TLS"),
        ({"REQUESTS_CA_BUNDLE": ""}, "valid certificate"),
        ({"LOG_LEVEL": "DEBUG"}, "LOG_LEVEL is not debug"),
    ],
)
def test_what_is_not_so_is_said_with_what_to_do(
    edge: Edge, changes: dict[str, str], said: str
) -> None:
    done = check(edge, **changes)
    assert done.returncode == 1
    assert any(line.startswith("NOT SO") and said in line for line in done.stdout.splitlines()), (
        done.stdout
    )
    assert "Traceback" not in done.stderr


# Security 23
def test_an_api_without_an_edge_fails_the_check(edge: Edge) -> None:
    words = ("check-production", "--url", edge.api.url)
    done = subprocess.run(
        [sys.executable, "-m", "api", *words],
        env={**os.environ, **edge.env},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 1
    assert "NOT SO  the API has TLS" in done.stdout
