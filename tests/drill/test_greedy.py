"""The greedy accounts of a drill: what they create, and how the others' requests are compared."""

from drill import greedy
from drill.checking.findings import Findings
from drill.checking.operations import operations
from drill.checking.page_shares import PageShares
from drill.greedy import Half
from drill.load.greedy import FOLLOWEES, POSTS, _author
from drill.report import build_report
from drill.report_text import render
from graph.ids import new_id
from tests.drill.script import ANA, Script
from tests.support.folders import free_folder


def test_every_author_has_posts_of_their_own_in_falling_order() -> None:
    newest = new_id()
    authors = [_author(newest, number) for number in range(FOLLOWEES)]
    post_ids = [post_id for author in authors for post_id in author["post_ids"]]
    assert len(set(post_ids)) == FOLLOWEES * POSTS
    assert max(post_ids) == newest
    assert authors[7]["post_ids"] == sorted(authors[7]["post_ids"], reverse=True)


def test_a_half_has_the_p99_of_its_requests_and_counts_refusals(script: Script) -> None:
    for lasting in (0.1, 0.4):
        script.do("read", viewer=ANA, lasting=lasting, posts=[], next=False)
    for status in (0, 429, 503):
        script.do("read", phase="fail", viewer=ANA, status=status)
    half = Half(ops=operations(script.lines))
    assert half.refused() == 3
    assert round(half.p99()) == 400
    assert greedy.MOST_RATIO == 2


def test_the_report_shows_what_greedy_accounts_were_answered(script: Script) -> None:
    script.do("greedy", session="greedy", answers={"46 pages: OK": 3})
    report = build_report(
        script.lines,
        Findings(),
        PageShares(),
        seed=7,
        seconds=60,
        control="",
        counters={},
    )
    assert report.greedy == {"46 pages: OK": 3}
    text = render(report, free_folder("report"))
    assert "greedy accounts" in text
    assert "46 pages: OK" in text
