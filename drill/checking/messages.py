"""Rules on push messages: P9. One a window, of whom the user follows, to a session that lasts."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from drill.checking.evidence import Evidence
from drill.checking.model import Relation
from drill.checking.operations import Operation
from drill.notice_times import WINDOW_SECONDS

SENDING_SECONDS = 20.0
"""From the decision about a message to its arrival: it may wait 10 s for a turn, and the push
service may hang for 5 s."""
SLACK_SECONDS = 8.0
"""How much the time of sending may differ between two messages, on the busy machine of a drill."""
FROZEN = frozenset({"stop-notifier"})
"""Faults in which a message that was decided waits to be sent."""
LOST_RECORDS = frozenset({"flush-queue", "tear-aof", "kill-queue"})
"""Faults that can lose the record of a notice."""
LABEL = re.compile(r"\bu[0-9]+\b")
"""With it each name of a user begins."""
POSTED = re.compile(r"photos?\b")
"""In the sentence about posts."""


class _Browser(NamedTuple):
    viewer: int
    token: str


class _Message(NamedTuple):
    at: float
    browser: _Browser
    op: Operation

    @property
    def sentences(self) -> list[str]:
        return str(self.op.facts["body"]).split(". ")


def check_messages(evidence: Evidence) -> None:
    """Add all violations of the messages, whether the push service took them or not."""
    subscriptions = [op for op in evidence.ops if op.op == "subscribe"]
    labels = {op.facts["label"]: op.facts["viewer"] for op in subscriptions}
    browsers = {
        op.facts["browser"]: _Browser(op.facts["viewer"], op.facts["token"]) for op in subscriptions
    }
    messages: dict[str, list[_Message]] = defaultdict(list)
    for op in evidence.ops:
        if op.op == "push":
            path = op.facts["browser"]
            messages[path].append(_Message(op.start, browsers[path], op))
    for of_browser in messages.values():
        _check_window(evidence, of_browser)
        _check_topics(evidence, of_browser)
        _check_session(evidence, of_browser)
        for message in of_browser:
            _check_names(evidence, message, labels)


def _check_window(evidence: Evidence, messages: list[_Message]) -> None:
    """A user gets one message a window; a lost record is an exception."""
    taken = [message for message in messages if message.op.phase == "ok"]
    for first, second in itertools.pairwise(taken):
        seconds = second.at - first.at
        if seconds >= WINDOW_SECONDS - SLACK_SECONDS:
            continue
        since = first.at - SENDING_SECONDS
        if evidence.deadlines.faults_within(FROZEN | LOST_RECORDS, since, second.at):
            evidence.findings.add_exception(
                "P9 two-in-a-window",
                viewer=first.browser.viewer,
                tag=str(second.op.number),
                seconds=seconds,
            )
            continue
        text = f"user {first.browser.viewer} got two messages within {seconds:.1f} s"
        evidence.findings.add_violation("P9", "two-in-a-window", text, first.op, second.op)


def _check_topics(evidence: Evidence, messages: list[_Message]) -> None:
    """Each message replaces the one before: they have one topic."""
    topics = {message.op.facts["topic"] for message in messages}
    if len(topics) > 1 or "" in topics:
        text = f"user {messages[0].browser.viewer} got messages of the topics {sorted(topics)}"
        evidence.findings.add_violation("P9", "no-topic", text, messages[-1].op)


def _check_session(evidence: Evidence, messages: list[_Message]) -> None:
    """No message comes after the sign-out."""
    token = messages[0].browser.token
    for sign_out in evidence.ops:
        if sign_out.op != "sign-out" or sign_out.facts["token"] != token:
            continue
        for message in messages:
            if sign_out.phase == "ok" and sign_out.end < _decided_after(evidence, message):
                text = f"{token} got a message after its sign-out"
                evidence.findings.add_violation("P9", "signed-out-told", text, sign_out, message.op)


def _check_names(evidence: Evidence, message: _Message, labels: Mapping[str, int]) -> None:
    """It names nobody whom the user does not follow, and no follower who has left."""
    since = _decided_after(evidence, message)
    for sentence in message.sentences:
        for other in _users_in(sentence, labels):
            pair = message.browser.viewer, other
            if not POSTED.search(sentence):
                pair = pair[1], pair[0]
            follow = evidence.model.follows.get(pair, Relation())
            if not follow.may_hold(since, message.at):
                text = f"user {message.browser.viewer} was told: {sentence}"
                ops = [*follow.starts[-1:], *follow.ends[-1:], message.op]
                evidence.findings.add_violation("P9", "stranger-named", text, *ops)


def _users_in(sentence: str, labels: Mapping[str, int]) -> Iterator[int]:
    return (labels[label] for label in LABEL.findall(sentence) if label in labels)


def _decided_after(evidence: Evidence, message: _Message) -> float:
    """The earliest time at which the message can have been decided."""
    since = message.at - SENDING_SECONDS
    return evidence.deadlines.begin_of_faults(FROZEN, since, message.at)
