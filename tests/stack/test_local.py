import stat
from pathlib import Path

import psutil
import pytest
import redis

from stack import LocalStack, StackError
from stack.parts.redis import ALLOCATOR_TUNABLES, ALLOCATOR_VARIABLE
from stack.secrets import NAMES
from tests.stack.programs import REDIS, redis_stack

CLOSE_SECONDS = "10"
"""After so many silent seconds the cache closes a connection: a part of the protocol."""


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True)


def process_of(stack: LocalStack, name: str) -> psutil.Process:
    return psutil.Process(stack.process(name).pid)


# Security 22
def test_a_started_part_answers_with_its_password_and_refuses_without(tmp_path: Path) -> None:
    with redis_stack(tmp_path) as (stack, _):
        url = stack.env["QUEUE_REDIS_URL"]
        assert client(url).ping()
        password = url.partition("://:")[2].partition("@")[0]
        with pytest.raises(redis.AuthenticationError):
            client(url.replace(f":{password}@", "")).ping()


# Security 22
def test_no_command_line_holds_a_password(tmp_path: Path) -> None:
    with redis_stack(tmp_path) as (stack, _):
        words = [word for name in REDIS for word in process_of(stack, name).cmdline()]
        secrets = (tmp_path / "secrets.env").read_text().split()
        values = [line.partition("=")[2] for line in secrets]
        assert len(values) == len(NAMES)
        assert not [word for word in words for value in values if value in word]


def test_the_queue_never_evicts_and_the_cache_evicts_and_closes_silent_connections(
    tmp_path: Path,
) -> None:
    with redis_stack(tmp_path) as (stack, _):
        queue = client(stack.env["QUEUE_REDIS_URL"]).config_get("*")
        cache = client(stack.env["CACHE_REDIS_URL"]).config_get("*")
    assert (queue["maxmemory-policy"], queue["appendonly"]) == ("noeviction", "yes")
    assert (cache["maxmemory-policy"], cache["appendonly"]) == ("volatile-lru", "no")
    assert (cache["save"], cache["timeout"]) == ("", CLOSE_SECONDS)


@pytest.mark.parametrize("given", [None, "glibc.malloc.tcache_count=9"])
def test_the_servers_get_malloc_settings_unless_the_environment_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    monkeypatch.delenv(ALLOCATOR_VARIABLE, raising=False)
    if given:
        monkeypatch.setenv(ALLOCATOR_VARIABLE, given)
    with redis_stack(tmp_path) as (stack, _):
        pid = stack.process("cache").pid
        environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
    assert f"{ALLOCATOR_VARIABLE}={given or ALLOCATOR_TUNABLES}" in environment


def test_the_next_start_has_the_data_the_ports_and_the_secrets(tmp_path: Path) -> None:
    with redis_stack(tmp_path) as (stack, _):
        client(stack.env["QUEUE_REDIS_URL"]).set("key", "value")
        env = stack.env
    with redis_stack(tmp_path) as (stack, _):
        assert client(stack.env["QUEUE_REDIS_URL"]).get("key") == "value"
        assert stack.env == env


def test_the_data_folder_of_a_redis_is_named_after_its_server(tmp_path: Path) -> None:
    with redis_stack(tmp_path) as (stack, _):
        server = client(stack.env["QUEUE_REDIS_URL"]).info("server")
    kind = server.get("server_name", "redis")
    assert {path.name for path in tmp_path.glob("queue-*")} == {f"queue-{kind}"}


# Security 22
def test_only_their_owner_can_read_the_secrets(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with redis_stack(tmp_path):
        private = [tmp_path / "secrets.env", *tmp_path.glob("*/*.conf")]
        assert len(private) == 3
        assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["a b", 'a "b" \\n c'])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    with redis_stack(tmp_path / name) as (stack, _):
        folder = client(stack.env["QUEUE_REDIS_URL"]).config_get("dir")["dir"]
    assert Path(str(folder)).parent == tmp_path / name


def test_two_stacks_have_different_secrets(tmp_path: Path) -> None:
    with redis_stack(tmp_path / "one") as (one, _), redis_stack(tmp_path / "two") as (two, _):
        assert one.env["CURSOR_SECRET"] != two.env["CURSOR_SECRET"]


def test_a_second_start_in_the_same_folder_is_an_error(tmp_path: Path) -> None:
    with (
        redis_stack(tmp_path),
        pytest.raises(StackError, match=r"runs already \(process \d+\)"),
        redis_stack(tmp_path),
    ):
        pass


# Security 22
def test_all_parts_listen_on_the_loopback_address_only(tmp_path: Path) -> None:
    with redis_stack(tmp_path) as (stack, _):
        for name in REDIS:
            connections = process_of(stack, name).net_connections()
            listening = [one.laddr for one in connections if one.status == "LISTEN"]
            assert listening
            assert {address.ip for address in listening} == {"127.0.0.1"}
