"""All keys of a user are in the user's partition, and each call touches one slot alone.

A server in cluster mode refuses every other call, also one that a script makes.
"""

import time
from collections.abc import Callable, Iterator

import pytest

from storage import StorageUnavailableError
from storage.admissions import Admissions, UnverifiedSession
from storage.bodies import Bodies
from storage.limits import Limits, Policy
from storage.read_positions import ReadPositions
from storage.redis.partitions import tag_of
from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.redis.server import Server
from storage.reservations import Reservations
from storage.sessions import SessionCopies, SessionCopy, copy_prefix, pack_read, parse_read
from storage.timelines import Timelines
from tests.support.eventually import eventually
from tests.support.ids import id_ago
from tests.support.private_server import PrivateServer

USERS = [2**52 + number for number in range(130)]
SESSION = 77
POLICY = Policy(name="tests", quota=3, window_seconds=60)


@pytest.fixture
def cluster(private_cluster: PrivateServer) -> Iterator[Server]:
    def is_ready() -> bool:
        return b"cluster_state:ok" in private_cluster.command("CLUSTER", "INFO")

    eventually(is_ready)
    server = Server("cache", private_cluster.url)
    yield server
    server.close()


def use_timelines(cluster: Server) -> None:
    timelines = Timelines(cluster, cap=8, slack=3)
    for user in USERS:
        token = timelines.begin(user)
        assert token
        assert timelines.finish(user, token, [id_ago(7_000), id_ago(9_000)], watermark=0)
    for seconds in [0] * 12 + [8_000]:
        post_id = id_ago(seconds)
        assert timelines.push(USERS, post_id, read_at=time.monotonic()) == len(USERS)
    entries = timelines.entries(USERS[5])
    assert timelines.window(USERS[5], 4).ids == entries[::-1][:8]
    assert timelines.window_below(USERS[5], entries[-3], 4).ids
    assert timelines.read_raw(USERS)[USERS[5]].expires
    assert timelines.head(USERS[5]) == entries[:1]
    timelines.drop(*USERS[1:])


def use_sessions(cluster: Server) -> None:
    sessions = SessionCopies(cluster, Reservations(cluster))
    user = USERS[0]
    copy = SessionCopy(user_id=user, secret_sha256="ab", expires_at=int(time.time()) + 60)
    token = sessions.reserve(user, SESSION)
    assert token
    assert sessions.fill(SESSION, token, copy)
    [reply] = cluster.execute([pack_read(user, SESSION)])
    assert parse_read(reply) == copy
    assert reply.startswith(copy_prefix(user, "ab"))
    admissions = Admissions(cluster, POLICY)
    assert admissions.admit(UnverifiedSession(user, SESSION, "ab")).is_authenticated
    sessions.drop(user, [SESSION + 1, SESSION + 2])
    Limits(cluster).take(POLICY, user)


def use_read_positions(cluster: Server) -> None:
    positions = ReadPositions(cluster, Reservations(cluster))
    token = positions.reserve(USERS[0])
    assert token
    assert positions.fill(USERS[0], token, 5)


def use_bodies(cluster: Server) -> None:
    bodies = Bodies(cluster, Reservations(cluster))
    reservation = bodies.reserve_new(1, USERS[0])
    assert reservation
    assert bodies.fill_new(reservation, b"{}")
    tokens = bodies.reserve_many(range(2, 9))
    assert bodies.fill_many(dict.fromkeys(tokens, b"{}"), tokens) == set(range(2, 9))
    bodies.tombstone([1, 2])
    assert bodies.read_many([1, 3, 10]) == {1: b"", 3: b"{}", 10: None}
    bodies.discard([1, 2, 3])


@pytest.mark.parametrize("use", [use_timelines, use_sessions, use_read_positions, use_bodies])
def test_a_call_touches_keys_of_one_slot_alone(
    cluster: Server, private_cluster: PrivateServer, use: Callable[[Server], None]
) -> None:
    use(cluster)
    tag = b"{%b}" % tag_of(USERS[0])
    for key in private_cluster.client.scan_iter():
        assert bytes(key).startswith(b"p:") or tag in bytes(key)


def test_a_call_for_keys_of_two_slots_is_refused(cluster: Server) -> None:
    with pytest.raises(StorageUnavailableError, match="slot"):
        cluster.execute([pack(b"DEL", b"tl:{aa2}1", b"tl:{aa3}1")])
    fill = Script("fill")
    with pytest.raises(StorageUnavailableError, match="slot"):
        cluster.execute([fill.pack_call([b"p:1", b"p:2"], [b"t", b"v", 9])], fill)
