"""The inner ports of the S3 server, as another user of the machine meets them."""

import socket
import ssl
from urllib.parse import urlsplit

import pytest
import requests

FIRST_HTTP2_BYTES = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)
"""What a client of gRPC sends first, with empty settings."""
GRPC_OFFSETS = {"s3": 1, "filer": 3, "master": 5, "volume": 7, "admin": 10_008}
"""The ports, as distances from that of S3."""
SECONDS = 10


@pytest.fixture
def first_port(stack_env: dict[str, str]) -> int:
    port = urlsplit(stack_env["S3_ENDPOINT_URL"]).port
    assert port
    return port


# Security 22
@pytest.mark.parametrize("part", GRPC_OFFSETS)
def test_grpc_needs_a_certificate_of_this_stack(first_port: int, part: str) -> None:
    address = ("127.0.0.1", first_port + GRPC_OFFSETS[part])
    with socket.create_connection(address, timeout=SECONDS) as plain:
        plain.sendall(FIRST_HTTP2_BYTES)
        assert _answer_of(plain) == b""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(address, timeout=SECONDS) as bare,
        context.wrap_socket(bare) as stranger,
        pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
    ):
        stranger.recv(100)


# Security 22
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_volume_gives_takes_and_deletes_nothing_without_a_signature(
    first_port: int, method: str
) -> None:
    url = f"http://127.0.0.1:{first_port + 6}/1,01637037d6"
    assert requests.request(method, url, data=b"x", timeout=SECONDS).status_code == 401


# Security 22
@pytest.mark.parametrize(
    "path", ["/dir/assign", "/col/delete?collection=x", "/dir/lookup?volumeId=1"]
)
def test_the_master_and_the_filer_do_nothing_over_http(first_port: int, path: str) -> None:
    for port in (first_port + 2, first_port + 4):
        answer = requests.get(f"http://127.0.0.1:{port}{path}", timeout=SECONDS)
        assert answer.status_code == 404, port


# Security 22
@pytest.mark.parametrize("path", ["/", "/api/users", "/api/object-store/users"])
def test_the_admin_server_has_no_pages(first_port: int, path: str) -> None:
    answer = requests.get(f"http://127.0.0.1:{first_port + 8}{path}", timeout=SECONDS)
    assert answer.status_code == 404


def _answer_of(connection: socket.socket) -> bytes:
    """What the server answers before it closes the connection."""
    try:
        return connection.recv(100)
    except ConnectionResetError:
        return b""
