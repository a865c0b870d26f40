from bench.rows.crowds import Crowd
from bench.stage.town import Town
from graph.ids import new_id

CROWD = Crowd(followees=21, posts=30, viewers=1)


def test_every_author_of_a_crowd_has_as_many_posts_newest_first() -> None:
    ids = [CROWD.post_ids(0, author) for author in range(CROWD.followees)]
    assert all(len(of_author) == CROWD.posts for of_author in ids)
    assert all(of_author == sorted(of_author, reverse=True) for of_author in ids)
    assert len({post_id for of_author in ids for post_id in of_author}) == 21 * 30


def test_the_authors_of_a_crowd_post_in_turns() -> None:
    ids = {i: author for author in range(CROWD.followees) for i in CROWD.post_ids(0, author)}
    newest = sorted(ids, reverse=True)
    assert {ids[post_id] for post_id in newest[:21]} == set(range(21))


def test_posts_of_crowds_differ_from_one_another_and_from_the_towns() -> None:
    town = Town(2_000, 7)
    of_town = {post_id for index in range(town.users) for post_id in town.post_ids(index)}
    of_crowds = [
        {i for author in range(21) for i in CROWD.post_ids(number, author)} for number in (0, 1)
    ]
    assert not of_crowds[0] & of_crowds[1]
    assert max(of_town) < min(of_crowds[0])
    assert max(of_crowds[1]) < new_id()
