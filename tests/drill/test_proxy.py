"""The proxy does what the tests of races and outages rely on."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from drill.support.proxy import Proxy
from tests.support.eventually import eventually


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that answers every line with the same line."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            for line in lines:
                connection.sendall(line)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", echo) as proxy:
        yield proxy


def connect(proxy: Proxy) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    connection.settimeout(5)
    return connection


def exchange(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line)
    return connection.recv(1000)


def receives_nothing(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return not connection.recv(1000)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(5)


def test_bytes_and_an_orderly_end_are_passed_on() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with Proxy("127.0.0.1", listener.getsockname()[1]) as proxy, connect(proxy) as connection:
        connection.sendall(b"a")
        server, _ = listener.accept()
        with server:
            assert server.recv(10) == b"a"
            connection.shutdown(socket.SHUT_WR)
            assert server.recv(10) == b"", "an orderly end is passed on"
            server.sendall(b"b")
            assert connection.recv(10) == b"b", "and the answer still arrives"
    listener.close()


def test_a_held_request_arrives_after_the_release_and_other_connections_are_not_held(
    proxy: Proxy,
) -> None:
    hold = proxy.hold(b"PUSH")
    with connect(proxy) as held, connect(proxy) as other:
        held.sendall(b"first PUSH 1\n")
        hold.wait()
        assert exchange(other, b"PUSH 2\n") == b"PUSH 2\n", "one hold holds one connection"
        assert receives_nothing(held)
        hold.release()
        assert held.recv(1000) == b"first PUSH 1\n"


def test_a_pattern_split_over_two_chunks_is_held(proxy: Proxy) -> None:
    hold = proxy.hold(b"PUSH")
    with connect(proxy) as connection:
        assert exchange(connection, b"x\n") == b"x\n"
        connection.sendall(b"a PU")
        time.sleep(0.05)  # the proxy then reads the two halves separately
        connection.sendall(b"SH\n")
        hold.wait()
        assert receives_nothing(connection)
        hold.release()
        assert connection.recv(1000) == b"a PUSH\n"


def test_a_held_answer_arrives_after_the_release() -> None:
    seen = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with contextlib.suppress(OSError), connection:
            connection.recv(1000)
            seen.set()
            connection.sendall(b"done")
            connection.recv(1000)

    threading.Thread(target=serve, daemon=True).start()
    with Proxy("127.0.0.1", listener.getsockname()[1]) as proxy, connect(proxy) as connection:
        hold = proxy.hold(b"READ", side="answer")
        connection.sendall(b"READ")
        hold.wait()
        assert seen.wait(5)
        assert receives_nothing(connection)
        hold.release()
        assert connection.recv(1000) == b"done"
    listener.close()


def test_cut_down_and_up(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        assert exchange(connection, b"x\n") == b"x\n"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            connection.recv(1000)
    proxy.down()
    with connect(proxy) as connection:
        assert connection.recv(1000) == b"", "accepted and closed at once"
    proxy.up()
    with connect(proxy) as connection:
        assert exchange(connection, b"y\n") == b"y\n"


def test_a_half_open_connection_passes_nothing_until_resume(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.swallow()
        connection.sendall(b"x\n")
        assert receives_nothing(connection)
        proxy.resume()
        assert connection.recv(1000) == b"x\n"


def test_latency_is_added_in_each_direction(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.slow(0.1)
        began = time.monotonic()
        assert exchange(connection, b"x\n") == b"x\n"
        assert time.monotonic() - began >= 0.2


def test_a_narrow_proxy_limits_the_bytes_per_second(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.narrow(1_000)
        began = time.monotonic()
        connection.sendall(b"x" * 199 + b"\n")
        received = b""
        while len(received) < 200:
            received += connection.recv(1000)
        assert time.monotonic() - began >= 0.3, (
            "0.2 s in each direction, without the pause after the last piece"
        )
        proxy.resume()
        began = time.monotonic()
        assert exchange(connection, b"y\n") == b"y\n"
        assert time.monotonic() - began < 0.1


def test_a_cut_resets_the_connection_after_a_number_of_bytes_of_an_answer(proxy: Proxy) -> None:
    with connect(proxy) as connection, connect(proxy) as other:
        assert exchange(other, b"x\n") == b"x\n"
        cut = proxy.cut_after(5)
        assert exchange(connection, b"ab\n") == b"ab\n", "three bytes may pass"
        connection.sendall(b"cdef\n")
        assert connection.recv(2) == b"cd"
        with pytest.raises(ConnectionResetError):
            connection.recv(1000)
        assert cut.done
        assert exchange(other, b"z\n") == b"z\n", "one cut ends one connection"


def test_a_cut_resets_the_connection_after_a_number_of_bytes_of_a_request() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with Proxy("127.0.0.1", listener.getsockname()[1]) as proxy, connect(proxy) as connection:
        proxy.cut_after(3, side="request")
        connection.sendall(b"abcdef")
        server, _ = listener.accept()
        with server:
            server.settimeout(5)
            assert server.recv(10) == b"abc"
            with pytest.raises(ConnectionResetError):
                server.recv(10)
    listener.close()


def test_closing_releases_every_hold_and_leaves_no_thread(echo: int) -> None:
    before = threading.active_count()
    proxy = Proxy("127.0.0.1", echo)
    hold = proxy.hold(b"PUSH")
    with connect(proxy) as connection:
        connection.sendall(b"PUSH\n")
        hold.wait()
        proxy.close()
    eventually(
        lambda: threading.active_count() <= before + 1
    )  # one may be a thread of the echo server
