"""deploy/Caddyfile before an API and S3, as the internet sees them."""

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from tests.support.eventually import eventually
from tests.support.granian import ROOT, Server, free_port

CADDY = Path(sys.executable).parent / "caddy"


@dataclass(frozen=True, slots=True)
class EdgePorts:
    """The ports that an edge listens on, and the URLs that they make."""

    http: int
    https: int
    media: int

    @classmethod
    def free(cls) -> "EdgePorts":
        """Ports that nobody listens on now."""
        return cls(free_port(), free_port(), free_port())

    @property
    def url(self) -> str:
        """The URL of the API."""
        return f"https://localhost:{self.https}"

    @property
    def media_url(self) -> str:
        """The URL of S3."""
        return f"https://localhost:{self.media}"


@dataclass(frozen=True)
class Edge:
    """A running edge, and the API behind it."""

    url: str
    http_url: str
    media_url: str
    authority: Path
    """The certificate of the authority that the edge has drawn."""
    api: Server
    env: dict[str, str]
    """The environment of the API."""
    log: Path

    def send(self, method: str, path: str, **request: object) -> requests.Response:
        return requests.request(
            method,
            self.url + path,
            verify=str(self.authority),
            timeout=30,
            allow_redirects=False,
            **request,  # type: ignore[arg-type]
        )

    def connect(self) -> ssl.SSLSocket:
        """A TLS connection, for requests that no HTTP client sends."""
        context = ssl.create_default_context(cafile=self.authority)
        port = int(self.url.rpartition(":")[2])
        plain = socket.create_connection(("127.0.0.1", port), 30)
        return context.wrap_socket(plain, server_hostname="localhost")

    def connections_to_api(self) -> int:
        """Connections that the API has with the edge."""
        port = int(self.api.url.rpartition(":")[2])
        return sum(
            getattr(one.raddr, "port", 0) == port and one.status == psutil.CONN_ESTABLISHED
            for one in psutil.net_connections("tcp")
        )


@contextmanager
def edge_before(
    api: Server, env: Mapping[str, str], ports: EdgePorts, folder: Path
) -> Iterator[Edge]:
    """The edge before the API, whose environment is `env`, and before its S3."""
    edge_env = {
        "API_SITE": ports.url,
        "MEDIA_SITE": ports.media_url,
        "API": api.url.removeprefix("http://"),
        "S3": env["S3_ENDPOINT_URL"].removeprefix("http://"),
        "HTTP_PORT": str(ports.http),
        "HTTPS_PORT": str(ports.https),
        "BIND": "127.0.0.1",
        "TLS": "internal",
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    log = folder / "caddy.log"
    command = [str(CADDY), "run", "--config", str(ROOT / "deploy" / "Caddyfile")]
    with log.open("wb") as output:
        caddy = subprocess.Popen(
            command, env=os.environ | edge_env, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        edge = Edge(
            url=ports.url,
            http_url=f"http://localhost:{ports.http}",
            media_url=f"{ports.media_url}/{env['S3_BUCKET']}",
            authority=folder / "caddy" / "pki" / "authorities" / "local" / "root.crt",
            api=api,
            env=dict(env),
            log=log,
        )
        eventually(lambda: _is_ready(edge))
        yield edge
    finally:
        caddy.terminate()
        caddy.wait(30)


def _is_ready(edge: Edge) -> bool:
    try:
        return edge.authority.exists() and edge.send("GET", "/livez").ok
    except requests.RequestException:
        return False
