"""The users of a drill, and what the client threads share about them while it runs.

Clients choose their operations by it. The checker does not read it: it reads the history alone.
"""

import queue
import random
import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from drill.calm_minutes import Span, is_calm
from drill.history import History
from drill.support.push_service import PushService

MAX_WATCH_TASKS = 60
"""Watch tasks that may wait for a watcher; beyond it no more posts are watched."""


@dataclass(slots=True, kw_only=True)
class DrillUser:
    """A user, with one token for its client and another one for who watches its feed."""

    name: str
    id: int
    token: str
    watching_token: str
    calm: bool
    """Its follows never change, it follows calm users alone, and nobody blocks it: its timeline
    lasts, and its authors post seldom. It reads much."""
    photos: deque[int]
    """Ids of photos that are ready and not posted yet."""
    sign_ins: int = 0
    """Part of the token's name in the history."""
    post_attempts: int = 0
    """How many posts were tried, each with a tag of its own."""
    renames: int = 0
    """How many names were tried, each different from all others."""

    @property
    def label(self) -> str:
        """The short name, with which each of the user's names begins."""
        return self.name.split("_")[0]

    @property
    def session(self) -> str:
        """The name of the client's session and token in the history."""
        return f"{self.label}.{self.sign_ins}"

    @property
    def watching_session(self) -> str:
        """The name of the session that lasts, and of `watching_token`."""
        return f"{self.label}.watching"


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgedPost:
    """A post whose creation was answered with a 2xx."""

    post_id: int
    author_id: int
    tag: str
    key: str
    photo_id: int
    acknowledged: float
    """Seconds since the start of the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchTask:
    """A post and the follower whose feed is watched until it shows the post."""

    post: AcknowledgedPost
    viewer: DrillUser


@dataclass(slots=True)
class SharedState:
    """What all client threads share. Hold `lock` for follows, posts, and tokens of clients."""

    history: History
    api_urls: Sequence[str]
    push: PushService
    seed: int
    users: list[DrillUser] = field(default_factory=list)
    watch_tasks: "queue.Queue[WatchTask]" = field(
        default_factory=lambda: queue.Queue(MAX_WATCH_TASKS)
    )
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    follows: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Ids of followees by follower id, as of the last acknowledged change."""
    posts: dict[int, list[AcknowledgedPost]] = field(default_factory=lambda: defaultdict(list))
    """Posts by author id, oldest first, without those that a client tries to delete."""
    calm_minutes: list[Span] = field(default_factory=list)
    """In seconds since the start of the history."""

    def rng(self, name: str) -> random.Random:
        """A generator for one thread, seeded by the drill's seed and the name."""
        return random.Random(f"{self.seed}:{name}")

    def others(self, user: DrillUser) -> list[DrillUser]:
        """All users but this one."""
        return [other for other in self.users if other.id != user.id]

    def followers(self, author_id: int) -> list[DrillUser]:
        """Who follows the author."""
        with self.lock:
            return [user for user in self.users if author_id in self.follows[user.id]]

    def in_calm_minute(self) -> bool:
        """Whether no client may change a follow now."""
        now = self.history.now()
        return is_calm(self.calm_minutes, now, now)

    def still_due(self, task: WatchTask) -> bool:
        """Whether the viewer still follows the author and nobody has tried to delete the post."""
        author_id = task.post.author_id
        with self.lock:
            return author_id in self.follows[task.viewer.id] and task.post in self.posts[author_id]
