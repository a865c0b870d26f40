"""What each running process knows, and where it listens."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
from redis.exceptions import NoPermissionError

from stack.roles import ACCESS, ROLE_VARIABLES, SECRETS, environment_of
from tests.support.eventually import eventually
from tests.support.images import photograph
from tests.support.supervised_stack import ALL_PROCESSES, SupervisedStack

LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def members_of(services: SupervisedStack, name: str) -> Iterator[psutil.Process]:
    """The process of that name and all its descendants."""
    process = psutil.Process(services.pid(name))
    yield process
    yield from process.children(recursive=True)


def environment(process: psutil.Process) -> dict[str, str]:
    """What /proc says of its environment; of a child too, which has inherited it."""
    return dict(process.environ())


def secrets_in(text: str, known: dict[str, str]) -> set[str]:
    """The names of the secrets whose value is in the text."""
    return {name for name, value in known.items() if value in text}


# Security 22
def test_every_process_has_its_own_secrets_and_no_others(services: SupervisedStack) -> None:
    known = {
        name: services.env[name] for name in (*SECRETS, *ROLE_VARIABLES) if services.env.get(name)
    }
    assert set(SECRETS) < set(known)
    assert set(ALL_PROCESSES) == set(ACCESS) - {"init"}
    for name in ALL_PROCESSES:
        wanted = environment_of(name, services.env)
        expected = secrets_in("\n".join(wanted.values()), known)
        for process in members_of(services, name):
            found = environment(process)
            assert secrets_in("\n".join(found.values()), known) <= expected, (name, process)
            for variable in (*SECRETS, *ROLE_VARIABLES):
                if variable in found:
                    assert found[variable] == wanted.get(variable), (name, variable)
        assert environment(psutil.Process(services.pid(name))).items() >= wanted.items(), name


# Security 22
def test_the_stores_inherit_no_secret(services: SupervisedStack) -> None:
    known = {name: services.env[name] for name in SECRETS}
    stores = [
        process
        for process in psutil.Process().children(recursive=True)
        if any(word in process.name() for word in ("valkey", "redis", "weed", "java"))
    ]
    assert len(stores) >= 4
    for process in stores:
        assert secrets_in("\n".join(environment(process).values()), known) == set(), process


# Security 22
def test_every_port_of_every_process_is_on_loopback(services: SupervisedStack) -> None:
    assert services.url
    addresses = set()
    for process in psutil.Process().children(recursive=True):
        for connection in process.net_connections(kind="inet"):
            if connection.status == psutil.CONN_LISTEN or not connection.raddr:
                addresses.add((process.name(), *connection.laddr))
    assert len(addresses) > 15, "API, admin app, Neo4j, two Redis and the ten ports of S3"
    assert {address for address in addresses if address[1] not in LOOPBACK} == set()


# Security 22
def test_no_command_line_holds_a_secret(services: SupervisedStack) -> None:
    known = {name: services.env[name] for name in SECRETS}
    for process in psutil.Process().children(recursive=True):
        assert secrets_in(" ".join(process.cmdline()), known) == set(), process


# Security 22
def test_who_has_the_apis_password_of_the_queue_runs_nothing_in_a_worker(
    services: SupervisedStack, tmp_path: Path
) -> None:
    path, job_id = tmp_path / "ran", f"hostile-{secrets.token_hex(4)}"
    call = json.dumps(["os.system", None, [f"touch '{path}'"], {}])
    fields = {"data": call, "origin": "fanout", "status": "queued"}
    with redis.Redis.from_url(services.env["API_QUEUE_REDIS_URL"]) as api:
        for name, value in fields.items():
            api.hset(f"rq:job:{job_id}", name, value)
        api.rpush("rq:queue:fanout", job_id)
        with pytest.raises(NoPermissionError):
            api.lpop("rq:queue:fanout")
        with pytest.raises(NoPermissionError):
            api.flushall()
    eventually(lambda: job_id in services.log("fanout"))
    assert "job refused" in services.log("fanout")
    assert not path.exists()
    with redis.Redis.from_url(services.env["QUEUE_REDIS_URL"]) as queue:
        assert not queue.exists(f"rq:job:{job_id}")


# Security 22
def test_no_process_has_met_a_command_that_its_role_may_not_call(services: SupervisedStack) -> None:
    """After a user's first minutes: sign-up, a photo, a post, a follow, a sign-out."""
    ana, ben = services.sign_up("ana"), services.sign_up("ben")
    follow = f"/v1/me/following/{ana.id}"
    eventually(lambda: ben.put(follow).status_code == 204, seconds=60)  # a cold graph is slow
    photo_id = ana.upload(photograph(640, 480))
    ana.wait_until_ready(photo_id)
    ana.publish(photo_id)
    eventually(lambda: len(ben.feed()) == 1, seconds=60)
    assert ben.read("/v1/me/notifications") is not None
    assert ana.read("/v1/me/notifications/unread")
    assert ben.delete("/v1/me/sessions/current").status_code == 204
    for name in ("QUEUE_REDIS_URL", "CACHE_REDIS_URL"):
        with redis.Redis.from_url(services.env[name], decode_responses=True) as server:
            denied = [
                (entry["username"], entry["object"])
                for entry in server.acl_log()
                if entry["username"] in {"api", "worker", "admin"}
                and entry["object"] not in {"lpop", "flushall"}  # of the test above
            ]
            assert denied == []
