import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stack import StackError, ports
from stack.parts.redis import ping_problem
from stack.ports import is_free


@contextmanager
def taken_port(port: int = 0) -> Iterator[int]:
    """A port on which a program listens."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        yield listener.getsockname()[1]


def choose(
    names: list[str],
    file: Path,
    *,
    defaults: dict[str, int] | None = None,
    requested: dict[str, int] | None = None,
) -> dict[str, int]:
    return ports.choose(names, file=file, defaults=defaults, requested=requested, report=print)


def test_a_taken_port_is_replaced_by_a_free_one_and_this_is_reported(tmp_path: Path) -> None:
    lines: list[str] = []
    with taken_port() as port:
        defaults = {"queue": port}
        first = ports.choose(
            ["queue"],
            file=tmp_path / "ports.json",
            defaults=defaults,
            requested=None,
            report=lines.append,
        )
    assert first["queue"] != port
    assert is_free(first["queue"])
    assert lines == [f"queue: port {first['queue']} is used, as {port} is not free."]
    again = ports.choose(
        ["queue"],
        file=tmp_path / "ports.json",
        defaults=defaults,
        requested=None,
        report=lines.append,
    )
    assert again == first
    assert lines[1:] == [f"queue: port {first['queue']} is used, as at the last start."]


def test_a_port_of_the_last_start_that_is_taken_now_is_replaced(tmp_path: Path) -> None:
    first = choose(["api"], tmp_path / "ports.json")
    with taken_port(first["api"]):
        again = choose(["api"], tmp_path / "ports.json")
    assert again != first


def test_a_requested_port_that_is_taken_is_an_error_that_names_it(tmp_path: Path) -> None:
    with taken_port() as port:
        message = f"api cannot use port {port}: another program listens on that port"
        with pytest.raises(StackError, match=message):
            choose(["api"], tmp_path / "ports.json", requested={"api": port})


@pytest.mark.parametrize(
    ("requested", "message"),
    [
        (
            {"api": 22_600, "admin": 22_600},
            r"admin cannot use port 22600: that port is requested for api\.",
        ),
        (
            {"api": 22_608, "s3": 22_600},
            "s3 cannot use port 22600, as it also needs port 22608: that port is requested for api",
        ),
        ({"api": 65_536}, "ports go from 1 to 65535"),
        ({"s3": 65_535}, "also needs port 65536: ports go from 1"),
        ({"api": -1}, "ports go from 1"),
    ],
)
def test_the_error_gives_the_reason_why_a_port_cannot_be_used(
    tmp_path: Path, requested: dict[str, int], message: str
) -> None:
    with pytest.raises(StackError, match=message):
        choose(list(requested), tmp_path / "ports.json", requested=requested)


def test_a_requested_port_is_not_given_to_a_part_before_it(tmp_path: Path) -> None:
    port = choose(["api"], tmp_path / "ports.json")["api"]
    chosen = choose(
        ["api", "admin"],
        tmp_path / "ports.json",
        defaults={"api": port, "admin": 8001},
        requested={"admin": port},
    )
    assert chosen["admin"] == port
    assert chosen["api"] != port


def test_a_port_with_a_listener_on_all_addresses_is_taken() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104 - it answers nobody
        assert not is_free(listener.getsockname()[1])


def test_the_first_port_of_s3_is_one_whose_other_ports_are_free_too(tmp_path: Path) -> None:
    with taken_port() as port:
        first = port - 4
        chosen = choose(["s3"], tmp_path / "ports.json", defaults={"s3": first})
    assert chosen["s3"] != first


def test_a_program_that_is_no_redis_fails_the_readiness_check_of_redis() -> None:
    with taken_port() as port:
        assert ping_problem(f"redis://:x@127.0.0.1:{port}/0", variable=None)
