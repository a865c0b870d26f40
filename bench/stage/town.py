"""A town of any size, computed from a seed and kept nowhere: who follows whom, who posted what.

Each answer follows from an index alone, so a town of a million is written, filled into the cache
and compared with what the product says without ever being in memory. Followees are drawn by a
power law. Some authors have an audience of a given size, for the rows that are about it.
"""

import hashlib
import math
import random
from dataclasses import dataclass
from typing import Literal

from graph.ids import EPOCH_MS, RANDOM_BITS, from_ms
from graph.posts import Location, Post, PostedPhoto

FOLLOWEES = 18
"""Of most people. With those who follow DEEP_FOLLOWEES the mean is 20."""
DEEP_FOLLOWEES = 210
"""Of one in a hundred: their lists are full, so that a page can lie deep in them."""
SKEW = 3
"""The n-th author of all has a share of the followers in proportion to n^(1/SKEW - 1)."""

Name = Literal["everybody", "100k", "25k", "10k", "10"]
AUDIENCES: dict[Name, int] = {
    "everybody": 2**53,
    "100k": 100_000,
    "25k": 25_000,
    "10k": 10_000,
    "10": 10,
}
"""Followers of the first authors, in their order; all there are where that is fewer."""
SMALL_AUDIENCE = 150
"""Followers of each small author."""
SMALL_AUTHORS = 64
AUTHORS = len(AUDIENCES) + SMALL_AUTHORS
"""People who follow nobody, and whom no chance follows."""
QUIET = 1_000
"""People whom nobody follows: what they post is seen by nobody else."""

USERS_MS = 31_536_000_000
"""When the first of them signed up, a year after the first possible id; the next 1 ms later."""
POSTS_MS = 63_072_000_000
"""When the first of two posts of everybody was posted."""
MONTH_MS = 30 * 86_400_000
"""Within which all posts were."""
STEP = 7_368_787
"""A prime: n steps through n places meet each once, as long as it does not divide n."""
PHOTO_MS = 5_000
"""How long before its post a photo was uploaded."""
PHOTO_LIFE_MS = 86_400_000

_LOW = (1 << RANDOM_BITS) - 1
_FIRST = ("Ada", "Bela", "Carla", "Dario", "Elif", "Femi", "Grace", "Hugo", "Iris", "Jonas")
_LAST = ("Almeida", "Berg", "Costa", "Dimitrov", "Eriksen", "Fischer", "Garcia", "Horvat")
_PLACES = ("Lisbon", "Bergen", "Porto", "Sofia", "Oslo", "Bremen", "Sevilla", "Zagreb")
_CAPTION = "Seen on the way back from {place}, just before the light was gone: number {number}."
_BLURHASH = "LEHV6nWB2yk8pyo0adR*.7kCMdnj"
_SHAPES = ((4032, 3024), (3024, 4032), (4000, 4000))


@dataclass(frozen=True, slots=True)
class Town:
    """So many users, alike for the same seed. Users are named by their index from 0 on."""

    users: int
    seed: int

    @property
    def span(self) -> int:
        """How many follow somebody: all but the authors."""
        return self.users - AUTHORS

    @property
    def small_authors(self) -> range:
        """Authors of exactly SMALL_AUDIENCE followers each, no two of them shared."""
        count = min(SMALL_AUTHORS, self.span // SMALL_AUDIENCE)
        return range(len(AUDIENCES), len(AUDIENCES) + count)

    @property
    def quiet(self) -> range:
        """People whom nobody follows."""
        return range(AUTHORS, AUTHORS + min(QUIET, self.users // 10))

    @property
    def readers(self) -> range:
        """Everybody else: they follow, and are followed by chance."""
        return range(self.quiet.stop, self.users)

    @property
    def deep_readers(self) -> range:
        """Those of the readers who follow DEEP_FOLLOWEES, or half of the town if that is less."""
        return range(self.quiet.stop, self.users, 100 if self.users >= QUIET * 10 else 10)

    def user_id(self, index: int) -> int:
        """A user's id, rising with the index."""
        return (USERS_MS + index) << RANDOM_BITS | (index * 2_654_435_761 >> 7) & _LOW

    def index_of(self, user_id: int) -> int:
        """The user of an id."""
        return (user_id >> RANDOM_BITS) - USERS_MS

    def username(self, index: int) -> str:
        """A user's name to sign in with."""
        return f"user{index:07d}"

    def name(self, index: int) -> str:
        """A user's name to read."""
        return f"{_FIRST[index % len(_FIRST)]} {_LAST[index // 7 % len(_LAST)]}"

    def author(self, name: Name) -> int:
        """The author with that audience."""
        return list(AUDIENCES).index(name)

    def audience(self, author: int) -> int:
        """How many follow one of the first authors."""
        return min(list(AUDIENCES.values())[author], self.span)

    def followers(self, author: int) -> list[int]:
        """Everybody who follows one of the authors, ascending."""
        if author in self.small_authors:
            start = AUTHORS + (author - len(AUDIENCES)) * SMALL_AUDIENCE
            return list(range(start, start + SMALL_AUDIENCE))
        size = self.audience(author)
        places = (-(-(number + 1) * self.span // size) - 1 for number in range(size))
        return [AUTHORS + place for place in places]

    def followees(self, index: int) -> list[int]:
        """Whom a user follows, in no order, each once, never themselves."""
        if index < AUTHORS:
            return []
        chosen = self._authors_of(index - AUTHORS)
        readers = self.readers
        wanted = FOLLOWEES
        if index in self.deep_readers:
            wanted = DEEP_FOLLOWEES
        wanted = min(wanted, len(readers) // 2)
        chance = random.Random(self.seed << 32 | index).random
        first, count = readers.start, len(readers)
        while len(chosen) < wanted:
            drawn = first + int(count * chance() ** SKEW)
            if drawn != index:
                chosen.add(drawn)
        return list(chosen)

    def _authors_of(self, place: int) -> set[int]:
        """The authors whom the user at this place follows: evenly spread over all."""
        span = self.span
        found = set()
        for author in range(len(AUDIENCES)):
            size = self.audience(author)
            if (place + 1) * size // span > place * size // span:
                found.add(author)
        small = len(AUDIENCES) + place // SMALL_AUDIENCE
        if small in self.small_authors:
            found.add(small)
        return found

    def post_ids(self, index: int) -> tuple[int, int]:
        """A user's two posts, newest first."""
        return self._post_id(index, 1), self._post_id(index, 0)

    def _post_id(self, index: int, number: int) -> int:
        place = number * self.users + (index * STEP + self.seed) % self.users
        moment = POSTS_MS + place * MONTH_MS // (2 * self.users)
        return moment << RANDOM_BITS | place & _LOW

    def feed(self, index: int) -> list[int]:
        """All that a user's feed holds, newest first."""
        ids = [*self.post_ids(index)]
        for followee in self.followees(index):
            ids += self.post_ids(followee)
        ids.sort(reverse=True)
        return ids

    def post(self, index: int, post_id: int) -> Post:
        """A post as the graph would give it."""
        return Post(
            id=post_id,
            author_id=self.user_id(index),
            author_username=self.username(index),
            author_name=self.name(index),
            caption=caption(post_id),
            location=location(post_id),
            photos=(photo(post_id),),
            created_at=from_ms(posted_ms(post_id)),
        )


def posted_ms(post_id: int) -> int:
    """When a post was posted, in Unix milliseconds."""
    return (post_id >> RANDOM_BITS) + EPOCH_MS


def caption(post_id: int) -> str:
    """What a post says: as long as people write, so that its JSON is some 550 bytes."""
    return _CAPTION.format(place=_PLACES[post_id % len(_PLACES)], number=post_id & _LOW)


def location(post_id: int) -> Location | None:
    """Where a post was taken; every second one says it."""
    if post_id % 2:
        return None
    degrees = (post_id >> RANDOM_BITS) % 18_000 / 100
    return Location(
        name=_PLACES[post_id % len(_PLACES)],
        latitude=round(degrees / 2 - 45, 2),
        longitude=round(degrees - 90, 2),
    )


def photo_id(post_id: int) -> int:
    """The id of a post's only photo."""
    return post_id - (PHOTO_MS << RANDOM_BITS)


def photo(post_id: int) -> PostedPhoto:
    """A post's only photo, ready long ago."""
    width, height = _SHAPES[post_id % len(_SHAPES)]
    return PostedPhoto(
        id=photo_id(post_id),
        path=hashlib.blake2b(b"%d" % post_id, digest_size=11).hexdigest(),
        width=width,
        height=height,
        blurhash=_BLURHASH,
        alt_text=None,
    )


def proper(users: int) -> None:
    """Returns if a town can have so many. Raises ValueError."""
    if users < AUTHORS + 2 * SMALL_AUDIENCE or math.gcd(users, STEP) != 1:
        raise ValueError(f"A town cannot have {users} users.")
