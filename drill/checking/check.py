"""The check of a whole history: every rule over everything."""

from collections.abc import Iterable

from drill.checking.activity import check_activity
from drill.checking.evidence import Evidence
from drill.checking.final_feeds import FinalFeeds
from drill.checking.findings import Findings
from drill.checking.live_streams import check_live_streams
from drill.checking.messages import check_messages
from drill.checking.missing_posts import MissingPosts
from drill.checking.names import check_names
from drill.checking.responses import check_responses, check_sessions
from drill.checking.settling import check_settling
from drill.checking.shown_posts import check_keys, check_order, check_shown_posts
from drill.history import Line


def check(lines: Iterable[Line]) -> Findings:
    """All violations in a history, by their time."""
    evidence = Evidence(lines)
    check_keys(evidence)
    check_shown_posts(evidence)
    check_order(evidence)
    check_names(evidence)
    MissingPosts(evidence).check()
    check_responses(evidence)
    check_sessions(evidence)
    check_settling(evidence)
    FinalFeeds(evidence).check()
    check_live_streams(evidence)
    check_messages(evidence)
    check_activity(evidence)
    evidence.findings.violations.sort(key=lambda violation: violation.at)
    return evidence.findings
