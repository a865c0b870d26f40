"""The plan of the town: people, follows and posts, drawn from a seed. Pure functions."""

import random
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from demo.names import FIRST, LAST, LOVES, MOODS, PLACES, TRADES
from demo.pictures import SUBJECTS, Subject

COLOUR_WEIGHT = 4
"""The weight of a subject in colour. A grey texture has the weight 1."""
GREY = frozenset({"brick", "gravel", "grass", "cell"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person of the town."""

    username: str
    name: str
    bio: str
    location: str
    follows: tuple[str, ...]
    """Usernames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPost:
    """A post that is not published yet."""

    author: str
    """Username."""
    number: int
    """Counts the author's posts from 0."""
    subjects: tuple[Subject, ...]
    caption: str
    place: tuple[str, float, float] | None
    """Name, latitude and longitude."""

    def seed(self, position: int) -> str:
        """The seed from which the photo at `position` is rendered."""
        return f"{self.author}/{self.number}/{position}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """All people, and all posts in the order of publishing."""

    people: tuple[Person, ...]
    posts: tuple[PlannedPost, ...]

    def guide(self) -> Person:
        """The person who follows most people: their feed shows most of the town."""
        return max(self.people, key=lambda person: len(person.follows))


def plan(seed: int, people: int, posts: int) -> Town:
    """The town of this seed and size. The same arguments give the same town."""
    draw = random.Random(seed)
    names = draw.sample([(first, last) for first in FIRST for last in LAST], people)
    usernames = [username(first, last) for first, last in names]
    fame = [
        1 / (rank + 1) ** 0.9 for rank in range(people)
    ]  # a few people have most of the followers
    followed = [
        weighted_sample(
            draw, usernames, fame, int(min(draw.paretovariate(1.1) * 6, people / 2)), excluding=own
        )
        for own in usernames
    ]
    residents = tuple(
        Person(
            username=own,
            name=f"{first} {last}",
            bio=f"{draw.choice(TRADES)}. Here for {draw.choice(LOVES)}.",
            location=draw.choice(PLACES)[0],
            follows=follows,
        )
        for own, (first, last), follows in zip(usernames, names, followed, strict=True)
    )
    return Town(people=residents, posts=tuple(plan_posts(draw, usernames, posts)))


def username(first: str, last: str) -> str:
    """A username in ASCII letters."""
    plain = unicodedata.normalize("NFKD", f"{first}.{last}").encode("ascii", "ignore").decode()
    return plain.lower()


def weighted_sample(
    draw: random.Random,
    population: Sequence[str],
    weights: Sequence[float],
    count: int,
    *,
    excluding: str,
) -> tuple[str, ...]:
    """`count` different items, drawn with these weights (Efraimidis and Spirakis)."""
    draws = [
        (draw.random() ** (1 / weight), item)
        for item, weight in zip(population, weights, strict=True)
        if item != excluding
    ]
    return tuple(item for _draw, item in sorted(draws, reverse=True)[:count])


def plan_posts(draw: random.Random, usernames: Sequence[str], count: int) -> list[PlannedPost]:
    """The posts in order. Some people post much, most people post little."""
    weights = [draw.paretovariate(2) for _ in usernames]
    counts: Counter[str] = Counter()
    posts = []
    for author in draw.choices(usernames, weights, k=count):
        posts.append(plan_post(draw, author, counts[author]))
        counts[author] += 1
    return posts


def plan_post(draw: random.Random, author: str, number: int) -> PlannedPost:
    """One post: one to three photographs, a caption, and in four of five posts a place."""
    photos = draw.choices((1, 2, 3), (80, 14, 6))[0]
    weights = [1 if subject.name in GREY else COLOUR_WEIGHT for subject in SUBJECTS]
    subjects = draw.choices(SUBJECTS, weights, k=photos)
    lines = [f"{draw.choice(subjects[0].captions)} {draw.choice(MOODS)}".strip()]
    lines += sorted({subject.credit for subject in subjects if subject.credit})
    return PlannedPost(
        author=author,
        number=number,
        subjects=tuple(subjects),
        caption="\n".join(lines),
        place=draw.choice(PLACES) if draw.random() < 0.8 else None,  # noqa: PLR2004 - four in five
    )
