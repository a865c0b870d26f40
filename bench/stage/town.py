"""A town of any size, computed from a seed and stored nowhere: who follows whom, who posted what.

Everything about a user follows from their index. So a town of a million users is written to files,
filled into the cache and compared with the product's answers without being in memory. Followees
and numbers of posts are drawn by power laws. Some authors have an audience of a given size, for
rows about audiences.
"""

import hashlib
import math
import random
from dataclasses import dataclass
from typing import Literal

from graph.ids import EPOCH_MS, RANDOM_BITS, from_ms
from graph.posts import Location, Post, PostedPhoto

FOLLOWEES = 18
"""Followees of most users. Together with those of deep readers the mean is 20."""
DEEP_FOLLOWEES = 210
"""Followees of a deep reader, one user in a hundred: full lists, which have deep pages."""
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
"""Followers of the first authors, in the authors' order. In a small town they have fewer."""
SMALL_AUDIENCE = 150
"""Followers of each small author."""
SMALL_AUTHORS = 64
AUTHORS = len(AUDIENCES) + SMALL_AUTHORS
"""Users who follow nobody and get no random followers."""
QUIET = 1_000
"""Users without followers: nobody else sees their posts."""

USERS_MS = 31_536_000_000
"""Sign-up of the first user, in ms after the first possible id: a year. Then one user a ms."""
POSTS_MS = 63_072_000_000
"""Time of the first post of all, ms after the first possible id."""
MONTH_MS = 30 * 86_400_000
"""All posts are published within this time."""
MEAN_POSTS = 40
"""Mean of a user's posts. Half of the users have four or fewer, the first has its square, 1,600."""
LARGE_TOWN = 200_000
"""Users above which everybody has FEW_POSTS: their photos and bodies fit no small machine."""
FEW_POSTS = 2
STEP = 7_368_787
"""A prime: n steps through n places visit each place once, unless it divides n."""
PHOTO_MS = 5_000
"""Time from a photo's upload to its post."""
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
    """A town of `users` users, the same for the same seed. An index from 0 names a user."""

    users: int
    seed: int

    @property
    def span(self) -> int:
        """The number of users who follow somebody: all but the authors."""
        return self.users - AUTHORS

    @property
    def small_authors(self) -> range:
        """Authors of exactly SMALL_AUDIENCE followers each; no two share a follower."""
        count = min(SMALL_AUTHORS, self.span // SMALL_AUDIENCE)
        return range(len(AUDIENCES), len(AUDIENCES) + count)

    @property
    def quiet(self) -> range:
        """Users without followers."""
        return range(AUTHORS, AUTHORS + min(QUIET, self.users // 10))

    @property
    def readers(self) -> range:
        """All other users: they follow, and get random followers."""
        return range(self.quiet.stop, self.users)

    @property
    def deep_readers(self) -> range:
        """The readers who follow DEEP_FOLLOWEES, or half of the readers if that is less."""
        return range(self.quiet.stop, self.users, 100 if self.users >= QUIET * 10 else 10)

    @property
    def ordinary_readers(self) -> list[int]:
        """The readers who follow FOLLOWEES."""
        return [index for index in self.readers if index not in self.deep_readers]

    def user_id(self, index: int) -> int:
        """A user's id; it rises with the index."""
        return (USERS_MS + index) << RANDOM_BITS | (index * 2_654_435_761 >> 7) & _LOW

    def index_of(self, user_id: int) -> int:
        """The index of the user with this id."""
        return (user_id >> RANDOM_BITS) - USERS_MS

    def username(self, index: int) -> str:
        """A user's name for signing in."""
        return f"user{index:07d}"

    def name(self, index: int) -> str:
        """A user's display name."""
        return f"{_FIRST[index % len(_FIRST)]} {_LAST[index // 7 % len(_LAST)]}"

    def author(self, name: Name) -> int:
        """The author with that audience."""
        return list(AUDIENCES).index(name)

    def audience(self, author: int) -> int:
        """The number of followers of one of the first authors."""
        return min(list(AUDIENCES.values())[author], self.span)

    def followers(self, author: int) -> list[int]:
        """The followers of an author, ascending."""
        if author in self.small_authors:
            start = AUTHORS + (author - len(AUDIENCES)) * SMALL_AUDIENCE
            return list(range(start, start + SMALL_AUDIENCE))
        size = self.audience(author)
        places = (-(-(number + 1) * self.span // size) - 1 for number in range(size))
        return [AUTHORS + place for place in places]

    def followees(self, index: int) -> list[int]:
        """The users whom a user follows, unordered, each once, never the user."""
        if index < AUTHORS:
            return []
        followees = self._authors_of(index - AUTHORS)
        readers = self.readers
        count = DEEP_FOLLOWEES if index in self.deep_readers else FOLLOWEES
        count = min(count, len(readers) // 2)
        chance = random.Random(self.seed << 32 | index).random
        first, size = readers.start, len(readers)
        while len(followees) < count:
            drawn = first + int(size * chance() ** SKEW)
            if drawn != index:
                followees.add(drawn)
        return list(followees)

    def _authors_of(self, place: int) -> set[int]:
        """The authors whom the user at this place follows: each audience is evenly spread."""
        span = self.span
        authors = set()
        for author in range(len(AUDIENCES)):
            size = self.audience(author)
            if (place + 1) * size // span > place * size // span:
                authors.add(author)
        small = len(AUDIENCES) + place // SMALL_AUDIENCE
        if small in self.small_authors:
            authors.add(small)
        return authors

    @property
    def rounds(self) -> int:
        """The most posts of a user. The month has as many rounds, each with a post or none."""
        return FEW_POSTS if self.users > LARGE_TOWN else MEAN_POSTS**2

    def post_count(self, index: int) -> int:
        """The number of a user's posts: 1 to `rounds`, by a power law of exponent 1.5."""
        if self.users > LARGE_TOWN:
            return FEW_POSTS
        share = (self._scatter(index) * STEP % self.users + 0.5) / self.users
        return round((1 - (1 - 1 / MEAN_POSTS) * share) ** -2)

    def post_ids(self, index: int) -> list[int]:
        """A user's posts, newest first."""
        count, rounds, scattered = self.post_count(index), self.rounds, self._scatter(index)
        first = scattered % rounds
        places = [
            (number * rounds + first) // count * self.users + scattered
            for number in reversed(range(count))
        ]
        return [
            POSTS_MS + place * MONTH_MS // (rounds * self.users) << RANDOM_BITS | place & _LOW
            for place in places
        ]

    def _scatter(self, index: int) -> int:
        """The user's place in each round: another for each user, far from the neighbours'."""
        return (index * STEP + self.seed) % self.users

    def feed(self, index: int) -> list[int]:
        """The ids of all posts of a user's feed, newest first."""
        ids = [*self.post_ids(index)]
        for followee in self.followees(index):
            ids += self.post_ids(followee)
        ids.sort(reverse=True)
        return ids

    def post(self, index: int, post_id: int) -> Post:
        """A post as the graph returns it."""
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
    """The time of a post, in Unix milliseconds."""
    return (post_id >> RANDOM_BITS) + EPOCH_MS


def caption(post_id: int) -> str:
    """A post's caption, of a usual length: the post's JSON has some 550 bytes."""
    return _CAPTION.format(place=_PLACES[post_id % len(_PLACES)], number=post_id & _LOW)


def location(post_id: int) -> Location | None:
    """A post's location; every second post has one."""
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
    """A post's only photo."""
    width, height = _SHAPES[post_id % len(_SHAPES)]
    return PostedPhoto(
        id=photo_id(post_id),
        path=hashlib.blake2b(b"%d" % post_id, digest_size=11).hexdigest(),
        width=width,
        height=height,
        blurhash=_BLURHASH,
        alt_text=None,
    )


def validate_size(users: int) -> None:
    """Raises ValueError if a town cannot have this number of users."""
    if users < AUTHORS + 2 * SMALL_AUDIENCE or math.gcd(users, STEP) != 1:
        raise ValueError(f"A town cannot have {users} users.")
