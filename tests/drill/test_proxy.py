"""The proxy of the fault tests is itself tested: a hold that does not hold would prove nothing."""

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


def ask(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line)
    return connection.recv(1000)


def silent(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return not connection.recv(1000)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(5)


def test_what_is_sent_comes_back() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with Proxy("127.0.0.1", listener.getsockname()[1]) as proxy, connect(proxy) as connection:
        connection.sendall(b"a")
        server, _ = listener.accept()
        with server:
            assert server.recv(10) == b"a"
            connection.shutdown(socket.SHUT_WR)
            assert server.recv(10) == b"", "an orderly end is passed on"
            server.sendall(b"b")
            assert connection.recv(10) == b"b", "and the answer still comes"
    listener.close()


def test_a_held_request_arrives_after_the_release_and_others_go_on(proxy: Proxy) -> None:
    hold = proxy.hold(b"PUSH")
    with connect(proxy) as held, connect(proxy) as other:
        held.sendall(b"first PUSH 1\n")
        hold.wait()
        assert ask(other, b"PUSH 2\n") == b"PUSH 2\n", "one hold stops one connection"
        assert silent(held)
        hold.release()
        assert held.recv(1000) == b"first PUSH 1\n"


def test_a_pattern_cut_in_two_is_found(proxy: Proxy) -> None:
    hold = proxy.hold(b"PUSH")
    with connect(proxy) as connection:
        assert ask(connection, b"x\n") == b"x\n"
        connection.sendall(b"a PU")
        time.sleep(0.05)  # so that the proxy reads the two halves apart
        connection.sendall(b"SH\n")
        hold.wait()
        assert silent(connection)
        hold.release()
        assert connection.recv(1000) == b"a PUSH\n"


def test_a_held_answer_was_given_but_does_not_come() -> None:
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
        assert silent(connection)
        hold.release()
        assert connection.recv(1000) == b"done"
    listener.close()


def test_cut_down_and_up(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        assert ask(connection, b"x\n") == b"x\n"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            connection.recv(1000)
    proxy.down()
    with connect(proxy) as connection:
        assert connection.recv(1000) == b"", "taken and closed at once"
    proxy.up()
    with connect(proxy) as connection:
        assert ask(connection, b"y\n") == b"y\n"


def test_half_open_swallows_until_it_is_over(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.swallow()
        connection.sendall(b"x\n")
        assert silent(connection)
        proxy.resume()
        assert connection.recv(1000) == b"x\n"


def test_slowness_is_added_in_each_direction(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.slow(0.1)
        began = time.monotonic()
        assert ask(connection, b"x\n") == b"x\n"
        assert time.monotonic() - began >= 0.2


def test_a_narrow_proxy_lets_so_many_bytes_through_a_second(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.narrow(1_000)
        began = time.monotonic()
        connection.sendall(b"x" * 199 + b"\n")
        got = b""
        while len(got) < 200:
            got += connection.recv(1000)
        assert time.monotonic() - began >= 0.3, "0.2 s either way, but for the last piece's pause"
        proxy.resume()
        began = time.monotonic()
        assert ask(connection, b"y\n") == b"y\n"
        assert time.monotonic() - began < 0.1


def test_a_cut_comes_after_so_many_bytes_of_an_answer(proxy: Proxy) -> None:
    with connect(proxy) as connection, connect(proxy) as other:
        assert ask(other, b"x\n") == b"x\n"
        cut = proxy.cut_after(5)
        assert ask(connection, b"ab\n") == b"ab\n", "three bytes may pass"
        connection.sendall(b"cdef\n")
        assert connection.recv(2) == b"cd"
        with pytest.raises(ConnectionResetError):
            connection.recv(1000)
        assert cut.done
        assert ask(other, b"z\n") == b"z\n", "one cut ends one connection"


def test_a_cut_comes_after_so_many_bytes_of_a_request() -> None:
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


def test_closing_lets_go_of_what_is_held_and_leaves_no_thread(echo: int) -> None:
    before = threading.active_count()
    proxy = Proxy("127.0.0.1", echo)
    hold = proxy.hold(b"PUSH")
    with connect(proxy) as connection:
        connection.sendall(b"PUSH\n")
        hold.wait()
        proxy.close()
    eventually(lambda: threading.active_count() <= before + 1)  # one may be the echo's
