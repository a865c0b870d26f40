"""Who takes part in a drill, and what all sessions may know of it while it runs.

This is what clients act on, never what the checker judges by: that reads the history alone.
"""

import queue
import random
import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from drill.history import History
from drill.load.api_client import Door
from graph import Graph
from tests.eventually import eventually
from tests.town import Town

PASSWORD = "a password of the drill"
SIGN_UP_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Citizen:
    """A user, with the token that its session acts by and another one for who watches its feed."""

    name: str
    id: int
    token: str
    watching_token: str
    steady: bool
    """Never leaves anybody and is left by nobody's block: its timeline stands for long."""
    photos: deque[int]
    signed_in: int = 0
    """How often, which names the token in the history."""
    posted: int = 0
    """How many posts were tried, each under a tag of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A post that was acknowledged."""

    post_id: int
    author_id: int
    tag: str
    key: str
    photo_id: int
    acknowledged_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A post that one follower should see soon."""

    posted: Posted
    viewer: Citizen


@dataclass(slots=True)
class World:
    """Shared by all threads of clients."""

    history: History
    api_urls: Sequence[str]
    seed: int
    citizens: list[Citizen] = field(default_factory=list)
    watches: "queue.Queue[Watch]" = field(default_factory=lambda: queue.Queue(60))
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    follows: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Followees by follower, as last heard."""
    posts: dict[int, list[Posted]] = field(default_factory=lambda: defaultdict(list))
    """Posts by author that are not known to be going."""

    def rng(self, name: str) -> random.Random:
        """One for each thread, from the drill's seed."""
        return random.Random(f"{self.seed}:{name}")

    def others(self, citizen: Citizen) -> list[Citizen]:
        return [one for one in self.citizens if one.id != citizen.id]

    def followers(self, author_id: int) -> list[Citizen]:
        with self.lock:
            return [one for one in self.citizens if author_id in self.follows[one.id]]

    def still_due(self, watch: Watch) -> bool:
        """Whether the viewer still follows the author and the post has not been taken back."""
        author_id = watch.posted.author_id
        with self.lock:
            return (
                author_id in self.follows[watch.viewer.id] and watch.posted in self.posts[author_id]
            )


def populate(world: World, graph: Graph, count: int, *, photos: int) -> None:
    """Users with photos that are ready; each follows some of the others already.

    The photos come straight into the graph, the rest goes through the API, before any fault.
    """
    town = Town(graph)
    rng = world.rng("town")
    doors = [Door(url) for url in world.api_urls]
    for number in range(count):
        name = f"u{number}"
        citizen = _signed_up(doors[number % len(doors)], name, world.seed, steady=number % 2 == 0)
        citizen.photos.extend(town._photos(citizen.id, photos))
        world.citizens.append(citizen)
    for citizen in world.citizens:
        for other in rng.sample(world.others(citizen), k=(count - 1) // 2):
            _follow(world, doors, citizen, other)
    for door in doors:
        door.close()


def _signed_up(door: Door, name: str, seed: int, *, steady: bool) -> Citizen:
    account: dict[str, str] = {}

    def sign_up() -> dict[str, Any]:
        # Another name each time: of a try that was not answered the name may be taken.
        username = f"{name}_{seed % 10**9}_{random.SystemRandom().randrange(10**9)}"
        account.update(username=username, password=PASSWORD)
        answer = door.ask("POST", "/v1/accounts", body=account | {"name": name})
        assert answer.status == 201, answer
        return answer.body

    def sign_in() -> str:
        answer = door.ask("POST", "/v1/sessions", body=account)
        assert answer.status == 201, answer
        return str(answer.body["auth_token"])

    made = eventually(sign_up, seconds=SIGN_UP_SECONDS, every=0.5)
    watching_token = eventually(sign_in, seconds=SIGN_UP_SECONDS, every=0.5)
    return Citizen(
        name=account["username"],
        id=int(made["user"]["id"]),
        token=made["auth_token"],
        watching_token=watching_token,
        steady=steady,
        photos=deque(),
    )


def _follow(world: World, doors: list[Door], citizen: Citizen, other: Citizen) -> None:
    def once() -> bool:
        number = world.history.invoke("town", "follow", viewer=citizen.id, author=other.id)
        path = f"/v1/me/following/{other.id}"
        answer = world.rng(path).choice(doors).ask("PUT", path, token=citizen.token)
        world.history.end(number, answer.phase, **answer.facts)
        return answer.phase == "ok"

    eventually(once, seconds=SIGN_UP_SECONDS, every=0.5)
    world.follows[citizen.id].add(other.id)
