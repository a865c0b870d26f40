import socket
import stat
from pathlib import Path

import psutil
import pytest
import redis

from stack import StackError, ports
from stack.parts.redis import ALLOCATOR, BLOCKS_AT_HAND, ping_problem
from stack.ports import is_free
from tests.stack.programs import redis_stack

CLOSED_SECONDS = "10"
"""After so many silent seconds the cache closes a connection: a part of the protocol."""


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True)


def test_a_started_part_answers_with_its_password_and_refuses_without(tmp_path: Path) -> None:
    with redis_stack(tmp_path) as (stack, _):
        url = stack.env["QUEUE_REDIS_URL"]
        assert client(url).ping()
        password = url.partition("://:")[2].partition("@")[0]
        with pytest.raises(redis.AuthenticationError):
            client(url.replace(f":{password}@", "")).ping()


def test_no_password_stands_in_a_command_line(tmp_path: Path) -> None:
    with redis_stack(tmp_path) as (stack, _):
        words = [word for name in ("queue", "cache") for word in command_line(stack, name)]
        secrets = (tmp_path / "secrets.env").read_text().split()
        values = [line.partition("=")[2] for line in secrets]
        assert len(values) == 7
        assert not [word for word in words for value in values if value in word]


def command_line(stack: object, name: str) -> list[str]:
    return psutil.Process(stack.process(name).pid).cmdline()  # type: ignore[attr-defined]


def test_the_queue_never_evicts_and_the_cache_forgets_and_hangs_up(tmp_path: Path) -> None:
    with redis_stack(tmp_path) as (stack, _):
        queue = client(stack.env["QUEUE_REDIS_URL"]).config_get("*")
        cache = client(stack.env["CACHE_REDIS_URL"]).config_get("*")
    assert (queue["maxmemory-policy"], queue["appendonly"]) == ("noeviction", "yes")
    assert (cache["maxmemory-policy"], cache["appendonly"]) == ("volatile-lru", "no")
    assert (cache["save"], cache["timeout"]) == ("", CLOSED_SECONDS)


@pytest.mark.parametrize("given", [None, "glibc.malloc.tcache_count=9"])
def test_the_servers_allocator_keeps_blocks_at_hand_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    monkeypatch.delenv(ALLOCATOR, raising=False)
    if given:
        monkeypatch.setenv(ALLOCATOR, given)
    with redis_stack(tmp_path) as (stack, _):
        pid = stack.process("cache").pid
        environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
    assert f"{ALLOCATOR}={given or BLOCKS_AT_HAND}" in environment


def test_the_next_start_has_the_data_the_ports_and_the_secrets(tmp_path: Path) -> None:
    with redis_stack(tmp_path) as (stack, _):
        client(stack.env["QUEUE_REDIS_URL"]).set("kept", "yes")
        env = stack.env
    with redis_stack(tmp_path) as (stack, _):
        assert client(stack.env["QUEUE_REDIS_URL"]).get("kept") == "yes"
        assert stack.env == env


def test_the_data_of_a_redis_lies_in_a_folder_named_after_its_server(tmp_path: Path) -> None:
    with redis_stack(tmp_path) as (stack, _):
        said = client(stack.env["QUEUE_REDIS_URL"]).info("server")
    kind = said.get("server_name", "redis")
    assert {path.name for path in tmp_path.glob("queue-*")} == {f"queue-{kind}"}


def test_secrets_can_be_read_by_their_owner_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with redis_stack(tmp_path):
        private = [tmp_path / "secrets.env", *tmp_path.glob("*/*.conf")]
        assert len(private) == 3
        assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["a b", 'a "b" \\n c'])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    with redis_stack(tmp_path / name) as (stack, _):
        kept = client(stack.env["QUEUE_REDIS_URL"]).config_get("dir")["dir"]
    assert Path(str(kept)).parent == tmp_path / name


def test_two_stacks_have_different_secrets(tmp_path: Path) -> None:
    with redis_stack(tmp_path / "one") as (one, _), redis_stack(tmp_path / "two") as (two, _):
        assert one.env["CURSOR_SECRET"] != two.env["CURSOR_SECRET"]


def test_a_second_start_in_the_same_folder_says_that_it_runs(tmp_path: Path) -> None:
    with (
        redis_stack(tmp_path),
        pytest.raises(StackError, match=r"runs already \(process \d+\)"),
        redis_stack(tmp_path),
    ):
        pass


def test_everything_listens_on_this_machine_alone(tmp_path: Path) -> None:
    with redis_stack(tmp_path) as (stack, _):
        for name in ("queue", "cache"):
            process = psutil.Process(stack.process(name).pid)
            listening = [c.laddr for c in process.net_connections() if c.status == "LISTEN"]
            assert listening
            assert {address.ip for address in listening} == {"127.0.0.1"}


def test_a_taken_port_is_replaced_by_a_free_one_and_this_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    with taken() as port:
        usual = {"queue": port}
        first = ports.choose(
            ["queue"], memory=tmp_path / "p", usual=usual, asked=None, say=said.append
        )
    assert first["queue"] != port
    assert is_free(first["queue"])
    assert said == [f"queue: port {first['queue']} is used, as {port} is not free."]
    again = ports.choose(["queue"], memory=tmp_path / "p", usual=usual, asked=None, say=said.append)
    assert again == first
    assert said[1:] == [f"queue: port {first['queue']} is used, as at the last start."]


def test_a_remembered_port_that_is_taken_by_now_gives_way(tmp_path: Path) -> None:
    first = ports.choose(["api"], memory=tmp_path / "p", usual=None, asked=None, say=print)
    with taken(first["api"]):
        again = ports.choose(["api"], memory=tmp_path / "p", usual=None, asked=None, say=print)
    assert again != first


def test_a_port_that_is_asked_for_and_taken_is_an_error_that_names_it(tmp_path: Path) -> None:
    with taken() as port, pytest.raises(StackError, match=f"{port} was asked for api. It is taken"):
        ports.choose(["api"], memory=tmp_path / "p", usual=None, asked={"api": port}, say=print)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"api": 22_600, "admin": 22_600}, r"asked for admin\. It was asked for api too"),
        (
            {"api": 22_608, "s3": 22_600},
            r"s3, which also needs 22608\. That port was asked for api",
        ),
        ({"api": 65_536}, "does not exist: ports go from 1 to 65535"),
        ({"s3": 65_535}, "also needs 65536. That port does not exist"),
        ({"api": -1}, "does not exist"),
    ],
)
def test_why_a_port_cannot_be_had_is_said(
    tmp_path: Path, asked: dict[str, int], sentence: str
) -> None:
    with pytest.raises(StackError, match=sentence):
        ports.choose(asked, memory=tmp_path / "p", usual=None, asked=asked, say=print)


def test_a_port_that_is_asked_for_is_kept_from_those_before_it(tmp_path: Path) -> None:
    wanted = ports.choose(["api"], memory=tmp_path / "p", usual=None, asked=None, say=print)["api"]
    chosen = ports.choose(
        ["api", "admin"],
        memory=tmp_path / "p",
        usual={"api": wanted, "admin": 8001},
        asked={"admin": wanted},
        say=print,
    )
    assert chosen["admin"] == wanted
    assert chosen["api"] != wanted


def test_a_listener_on_all_addresses_has_taken_the_port_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as everywhere:  # noqa: S104 - nobody is answered
        assert not is_free(everywhere.getsockname()[1])


def test_s3_gets_a_base_whose_other_ports_are_free_too(tmp_path: Path) -> None:
    with taken() as port:
        base = port - 4
        chosen = ports.choose(
            ["s3"], memory=tmp_path / "p", usual={"s3": base}, asked=None, say=lambda _: None
        )
    assert chosen["s3"] != base


def test_a_program_that_is_no_redis_does_not_count_as_one() -> None:
    with taken() as port:
        assert ping_problem(f"redis://:x@127.0.0.1:{port}/0", variable=None)


class taken:  # noqa: N801 - reads as a word after `with`
    """A port on which somebody listens."""

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))

    def __enter__(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._socket.close()
