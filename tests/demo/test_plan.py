import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

from demo.pictures import SUBJECTS
from demo.plan import plan

ROOT = Path(__file__).resolve().parents[2]


def test_the_same_seed_gives_the_same_town_and_another_seed_another() -> None:
    assert plan(3, 30, 40) == plan(3, 30, 40)
    assert plan(3, 30, 40) != plan(4, 30, 40)


def test_every_person_has_a_unique_username_that_the_api_accepts() -> None:
    people = plan(1, 100, 300).people
    assert len({person.username for person in people}) == 100
    for person in people:
        assert re.fullmatch(r"[A-Za-z0-9_.]{3,30}", person.username)
        assert person.name
        assert person.bio


def test_people_follow_others_of_the_town_and_a_few_have_most_of_the_followers() -> None:
    people = plan(1, 100, 300).people
    names = {person.username for person in people}
    for person in people:
        assert person.username not in person.follows
        assert len(set(person.follows)) == len(person.follows)
        assert set(person.follows) <= names
    counts = sorted(Counter(name for one in people for name in one.follows).values())
    assert counts[-1] > 5 * counts[len(counts) // 2]


def test_an_authors_posts_are_numbered_in_their_order() -> None:
    posts = plan(1, 100, 300).posts
    assert len(posts) == 300
    for author in {post.author for post in posts}:
        numbers = [post.number for post in posts if post.author == author]
        assert all(after == before + 1 for before, after in pairwise([-1, *numbers]))


def test_a_credit_that_the_licence_requires_is_in_the_caption() -> None:
    credited = {subject.name for subject in SUBJECTS if subject.credit}
    assert credited == {"china", "flower"}
    for post in plan(1, 100, 300).posts:
        for subject in post.subjects:
            assert subject.credit in post.caption
