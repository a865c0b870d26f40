"""The users of the Redis servers, tried as somebody would who has stolen a role's password."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from stack import LocalStack
from stack.parts.redis_users import RULES, example_lines, user_lines
from stack.roles import STORE_ROLES, variable_of
from tests.stack.programs import redis_stack
from tests.support.private_server import PrivateServer, start

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PASSWORDS = {role: f"password of {role}" for role in STORE_ROLES}
SERVERS = ["queue", "cache"]
OF_THE_STACK = [
    *("CONFIG GET *", "CONFIG SET maxmemory 1", "FLUSHALL", "KEYS *", "SCAN 0", "RANDOMKEY"),
    *("SCRIPT FLUSH", "FUNCTION FLUSH", "SHUTDOWN NOSAVE", "SAVE", "BGSAVE", "BGREWRITEAOF"),
    *("ACL LIST", "ACL SETUSER api ~*", "CLIENT LIST", "CLIENT KILL 127.0.0.1:1", "MONITOR"),
    *("REPLICAOF 127.0.0.1 1", "MIGRATE 127.0.0.1 1 k 0 1", "MODULE LIST", "SLOWLOG GET"),
    *("SWAPDB 0 1", "DUMP k", "RESTORE k 0 v", "OBJECT FREQ k", "MEMORY STATS", "LATENCY LATEST"),
    *("PUBLISH rq:pubsub:fanout-1 x", "CLUSTER INFO", "DEBUG SLEEP 0", "WAIT 0 0"),
]
TAKING = ["LPOP {0}", "RPOP {0}", "LMOVE {0} {0}2 LEFT RIGHT", "BLPOP {0} 1", "LMPOP 1 {0} LEFT"]
QUEUE = "rq:queue:fanout"


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[dict[str, PrivateServer]]:
    """Both servers with the users of all roles."""
    with start_with_users(tmp_path, "queue") as queue, start_with_users(tmp_path, "cache") as cache:
        yield {"queue": queue, "cache": cache}


@contextmanager
def start_with_users(folder: Path, name: str) -> Iterator[PrivateServer]:
    own = folder / name
    own.mkdir()
    with start(own, *user_lines(name, {role: hashable(role) for role in RULES[name]})) as server:
        yield server


def hashable(role: str) -> str:
    return PASSWORDS[role].replace(" ", "-")


def as_role(server: PrivateServer, role: str) -> redis.Redis:
    return redis.Redis(port=server.port, username=role, password=hashable(role), protocol=2)


def assert_refused(client: redis.Redis, command: str) -> None:
    with pytest.raises((NoPermissionError, ResponseError)) as error:
        client.execute_command(*command.split())  # type: ignore[no-untyped-call]
    allowed = isinstance(error.value, NoPermissionError) or "not allowed" in str(error.value)
    assert allowed or "unknown command" in str(error.value), (command, error.value)


# Security 22
@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("role", STORE_ROLES)
def test_no_role_may_do_what_belongs_to_the_stack(
    servers: dict[str, PrivateServer], name: str, role: str
) -> None:
    client = as_role(servers[name], role)
    assert client.ping()
    for command in OF_THE_STACK:
        assert_refused(client, command)
    assert servers[name].client.dbsize() == 0


# Security 22
@pytest.mark.parametrize("role", ["api", "admin"])
def test_only_workers_may_take_jobs(servers: dict[str, PrivateServer], role: str) -> None:
    server = servers["queue"]
    server.client.rpush(QUEUE, "a", "b")
    for command in TAKING:
        assert_refused(as_role(server, role), command.format(QUEUE))
    assert_refused(as_role(server, role), f"EVAL return(redis.call('lpop',KEYS[1])) 1 {QUEUE}")
    assert_refused(as_role(server, role), f"RENAME {QUEUE} {QUEUE}2")
    assert server.client.llen(QUEUE) == 2
    assert as_role(server, "worker").lpop(QUEUE) == b"a"


# Security 22
def test_the_api_reads_and_removes_no_job(servers: dict[str, PrivateServer]) -> None:
    server = servers["queue"]
    server.client.rpush(QUEUE, "a")
    server.client.hset("rq:job:a", "data", "secret")
    api = as_role(server, "api")
    for command in (
        *(f"LRANGE {QUEUE} 0 -1", f"DEL {QUEUE}", f"LREM {QUEUE} 0 a", f"LTRIM {QUEUE} 1 0"),
        *("HGETALL rq:job:a", "DEL rq:job:a", "SET rq:job:a x", "SMEMBERS rq:queues"),
        *("DEL bell:fanout:1", "GET nr:{abc}1", "SET sw:incoming x", f"EXPIRE {QUEUE} 0"),
    ):
        assert_refused(api, command)
    assert api.llen(QUEUE) == 1
    assert api.set("bell:fanout:1", 1, nx=True, ex=20)


# Security 22
def test_a_worker_can_end_sessions_and_cannot_make_or_read_one(
    servers: dict[str, PrivateServer],
) -> None:
    server = servers["cache"]
    server.client.set("s:{abc}1", "a copy")
    worker = as_role(server, "worker")
    for command in (
        *("SET s:{abc}2 made-up", "GET s:{abc}1", "GETDEL s:{abc}1", "RPUSH s:{abc}2 x"),
        "EVAL return(redis.call('set',KEYS[1],1)) 1 s:{abc}2",
        *("GET lk:{abc}1", "SET lk:{abc}1 x"),
    ):
        assert_refused(worker, command)
    assert worker.delete("s:{abc}1") == 1
    assert server.client.dbsize() == 0


# Security 22
def test_a_script_gives_a_role_no_further_right(servers: dict[str, PrivateServer]) -> None:
    for name, role in (("queue", "worker"), ("cache", "worker"), ("cache", "api")):
        client = as_role(servers[name], role)
        for call in ("'flushall'", "'config','get','*'", "'keys','*'", "'get','another'"):
            with pytest.raises(ResponseError, match=r"ACL failure|ermission|not allowed"):
                client.eval(f"return redis.call({call})", 0)


# Security 22
def test_the_admin_app_sees_no_key_of_the_cache(servers: dict[str, PrivateServer]) -> None:
    servers["cache"].client.set("s:{abc}1", "a copy")
    admin = as_role(servers["cache"], "admin")
    for command in ("GET s:{abc}1", "DEL s:{abc}1", "FLUSHDB", "DBSIZE", "EVAL return(1) 0"):
        assert_refused(admin, command)


# Security 22
def test_a_stack_gives_each_role_its_own_password_and_forgets_nothing(tmp_path: Path) -> None:
    with redis_stack(tmp_path) as (stack, _):
        urls = [url for role in STORE_ROLES for url in urls_of(stack, role)]
        assert len(set(urls)) == 6
        for url in urls:
            assert redis.Redis.from_url(url).ping()
        queue_api = stack.env["API_QUEUE_REDIS_URL"]
        with pytest.raises(AuthenticationError):
            redis.Redis.from_url(queue_api.replace("//api:", "//worker:")).ping()
        redis.Redis.from_url(stack.env["QUEUE_REDIS_URL"]).set("key", "value")
    secrets = tmp_path / "secrets.env"
    before = secrets.read_text().splitlines()
    older = [line for line in before if not line.startswith(("API_", "WORKER_", "ADMIN_Q"))]
    secrets.write_text("\n".join(older) + "\n")
    with redis_stack(tmp_path) as (stack, _):
        assert redis.Redis.from_url(stack.env["QUEUE_REDIS_URL"]).get("key") == b"value"
        assert redis.Redis.from_url(stack.env["API_QUEUE_REDIS_URL"]).ping()
        assert stack.env["API_QUEUE_REDIS_URL"] != queue_api, "the password is a new one"


def urls_of(stack: LocalStack, role: str) -> list[str]:
    return [stack.env[variable_of(role, f"{name.upper()}_REDIS_URL")] for name in SERVERS]


@pytest.mark.parametrize("name", SERVERS)
def test_the_acl_files_of_deploy_are_those_users(name: str, tmp_path: Path) -> None:
    path = DEPLOY / f"redis-{name}.acl"
    assert path.read_text().splitlines() == example_lines(name)
    with start(tmp_path, f"aclfile {path}", password="PASSWORD-OF-default") as server:
        users = server.client.acl_users()
        assert set(users) == {"default", *RULES[name]}


def test_an_older_server_gets_no_user_with_newer_commands() -> None:
    passwords = dict.fromkeys(STORE_ROLES, "x")
    assert "no-touch" in "".join(user_lines("cache", passwords))
    assert "no-touch" not in "".join(user_lines("cache", passwords, is_older=True))


def test_every_command_and_key_of_storage_is_allowed_to_a_role() -> None:
    """A command that is new in storage must stand in the lists, or processes get NOPERM."""
    storage = DEPLOY.parent / "storage"
    code = "".join(path.read_text() for path in storage.rglob("*.py"))
    scripts = "".join(path.read_text() for path in storage.rglob("*.lua"))
    sent = set(re.findall(r'pack(?:_parts)?\(b"([A-Z]+)"(?:, b"([A-Z-]+)")?', code))
    commands = {f"{one}|{two}" if one in {"CLIENT", "SCRIPT"} else one for one, two in sent}
    commands |= set(re.findall(r"call\('([A-Z]+)'", scripts))
    assert len(commands) > 30
    rules = " ".join(rules for roles in RULES.values() for rules in roles.values())
    allowed = set(re.findall(r"\+([\w|-]+)", rules))
    assert {command.lower() for command in commands} - allowed == set()
    prefixes = set(re.findall(r'key_of\(f?b?"(\w+)', code))
    prefixes |= set(re.findall(r'b?f?"(\w{1,5}):[{%]', code))
    assert len(prefixes) > 10
    assert {prefix for prefix in prefixes if f"~{prefix}:*" not in rules} == set()
