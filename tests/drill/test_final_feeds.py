"""The check finds feeds and timelines that are wrong in the final state."""

from storage.timeline_layout import ABOVE_NOTHING, DISORDER
from tests.drill.script import ANA, BEN, EVE, Script, kinds


def check_timeline(script: Script, *entries: int, ttl: int = 1000, longest: int = 80) -> list[str]:
    """The kinds of violations with this timeline of Ben."""
    script.settle()
    script.do("list", viewer=BEN, entries=list(entries), ttl=ttl, longest=longest)
    return kinds(script)


def test_sound_final_feeds_have_no_violation(script: Script) -> None:
    script.settle()
    script.final_walk(ANA, (20, ANA), (10, ANA))
    script.final_walk(BEN, (20, ANA), (10, ANA))
    script.final_walk(EVE)
    assert kinds(script) == []


def test_a_post_missing_in_the_final_state_is_found(script: Script) -> None:
    script.settle()
    script.final_walk(ANA, (20, ANA), (10, ANA))
    script.final_walk(BEN, (10, ANA))
    assert set(kinds(script)) == {"not-delivered", "lost"}


def test_a_post_with_an_unknown_end_must_be_in_all_feeds_or_in_none(script: Script) -> None:
    script.post(ANA, 30, phase="info")
    script.settle()
    script.final_walk(ANA, (30, ANA), (20, ANA), (10, ANA))
    script.final_walk(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == ["lost"]


def test_a_post_with_an_unknown_end_may_be_in_no_feed(script: Script) -> None:
    script.post(ANA, 30, phase="info")
    script.settle()
    script.final_walk(ANA, (20, ANA), (10, ANA))
    script.final_walk(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == []


def test_a_deletion_with_an_unknown_end_must_hold_for_all_feeds_or_for_none(script: Script) -> None:
    script.delete(ANA, 10, phase="info")
    script.settle()
    script.final_walk(ANA, (20, ANA))
    script.final_walk(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == ["extra"]


def test_the_list_of_followees_decides_a_follow_with_an_unknown_end(script: Script) -> None:
    script.follow(EVE, ANA, phase="info")
    script.settle(following={ANA: [], EVE: [ANA]})
    script.final_walk(ANA, (20, ANA), (10, ANA))
    script.final_walk(EVE, (20, ANA))
    assert kinds(script) == ["lost"]


def test_an_acknowledged_follow_that_is_missing_is_found(script: Script) -> None:
    script.settle(following={BEN: []})
    assert kinds(script) == ["follow-lost"]


def test_a_follow_that_exists_again_after_an_unfollow_is_found(script: Script) -> None:
    script.unfollow(BEN, ANA)
    script.settle()
    assert kinds(script) == ["follow-revived"]


def test_a_sound_timeline_has_no_violation(script: Script) -> None:
    assert check_timeline(script, 0, 10, 20, 20) == []


def test_the_entry_of_a_deleted_post_may_stay(script: Script) -> None:
    script.delete(ANA, 10)
    assert check_timeline(script, 0, 10, 20) == []


def test_a_timeline_without_a_post_above_its_watermark_is_found(script: Script) -> None:
    assert check_timeline(script, 0, 10) == ["list-missing"]


def test_a_timeline_with_a_post_of_an_author_who_is_not_followed_is_found(script: Script) -> None:
    script.post(EVE, 15)
    assert check_timeline(script, 0, 10, 15, 20) == ["list-extra"]


def test_a_timeline_may_lack_posts_below_its_watermark(script: Script) -> None:
    assert check_timeline(script, -15, 20) == []


def test_a_timeline_out_of_order_is_found(script: Script) -> None:
    far = 21 + DISORDER
    script.post(ANA, far)
    assert check_timeline(script, 0, 10, far, 20) == ["list-order"]


def test_a_sentinel_inside_a_timeline_is_found(script: Script) -> None:
    assert check_timeline(script, 0, 10, -5, 20) == ["list-sentinel"]


def test_an_unfinished_timeline_with_a_long_ttl_is_found(script: Script) -> None:
    assert check_timeline(script, -ABOVE_NOTHING, 20) == ["list-sentinel"]


def test_a_timeline_without_a_ttl_is_found(script: Script) -> None:
    assert check_timeline(script, 0, 10, 20, ttl=-1) == ["list-ttl"]


def test_a_timeline_that_is_never_trimmed_is_found(script: Script) -> None:
    assert check_timeline(script, 0, 10, *[20] * 80) == ["list-cap"]
