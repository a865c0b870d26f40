"""The town as it will be: who lives there, who follows whom, who posts what. Pure, from a seed."""

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from demo.names import FIRST, LAST, LOVES, MOODS, PLACES, TRADES
from demo.pictures import SUBJECTS, Subject

COLOURFUL = 4
"""How much likelier a subject in colour is than a texture in grey."""
GREY = frozenset({"brick", "gravel", "grass", "cell"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone of the town. `follows` and `posts` say how they use it."""

    username: str
    name: str
    bio: str
    location: str
    follows: tuple[str, ...]
    """Usernames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPost:
    """A post to come; `nth` counts its author's posts from 0."""

    author: str
    nth: int
    subjects: tuple[Subject, ...]
    caption: str
    place: tuple[str, float, float] | None

    def seed(self, position: int) -> str:
        """What its photo at `position` is cropped and graded by."""
        return f"{self.author}/{self.nth}/{position}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Everyone, and every post in the order of posting."""

    people: tuple[Person, ...]
    posts: tuple[PlannedPost, ...]

    def guide(self) -> Person:
        """The person to look at the town with: who follows most people."""
        return max(self.people, key=lambda person: len(person.follows))


def plan(seed: int, people: int, posts: int) -> Town:
    """The town of this seed and size; the same arguments give the same town."""
    draw = random.Random(seed)
    names = draw.sample([(first, last) for first in FIRST for last in LAST], people)
    usernames = [username(first, last) for first, last in names]
    fame = [1 / (rank + 1) ** 0.9 for rank in range(people)]  # few are followed by nearly all
    followed = [
        choose(
            draw, usernames, fame, int(min(draw.paretovariate(1.1) * 6, people / 2)), without=own
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
    """A user name in plain letters."""
    plain = unicodedata.normalize("NFKD", f"{first}.{last}").encode("ascii", "ignore").decode()
    return plain.lower()


def choose(
    draw: random.Random, among: Sequence[str], weights: Sequence[float], count: int, *, without: str
) -> tuple[str, ...]:
    """`count` different ones, the heavier the likelier."""
    keyed = [
        (draw.random() ** (1 / weight), one)
        for one, weight in zip(among, weights, strict=True)
        if one != without
    ]
    return tuple(one for _key, one in sorted(keyed, reverse=True)[:count])


def plan_posts(draw: random.Random, usernames: Sequence[str], count: int) -> list[PlannedPost]:
    """The posts in order; some people post much, most a little, everyone's order is their own."""
    weights = [draw.paretovariate(2) for _ in usernames]
    made: dict[str, int] = {}
    posts = []
    for author in draw.choices(usernames, weights, k=count):
        nth = made.get(author, 0)
        made[author] = nth + 1
        posts.append(plan_post(draw, author, nth))
    return posts


def plan_post(draw: random.Random, author: str, nth: int) -> PlannedPost:
    """One post: one to three photographs, words, and mostly a place."""
    photos = draw.choices((1, 2, 3), (80, 14, 6))[0]
    weights = [1 if subject.name in GREY else COLOURFUL for subject in SUBJECTS]
    subjects = draw.choices(SUBJECTS, weights, k=photos)
    lines = [f"{draw.choice(subjects[0].captions)} {draw.choice(MOODS)}".strip()]
    lines += sorted({subject.credit for subject in subjects if subject.credit})
    return PlannedPost(
        author=author,
        nth=nth,
        subjects=tuple(subjects),
        caption="\n".join(lines),
        place=draw.choice(PLACES) if draw.random() < 0.8 else None,  # noqa: PLR2004 - four in five
    )
