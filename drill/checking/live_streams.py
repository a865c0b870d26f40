"""Rules on live streams: P9. A client that comes back hears of every post and of every follower.

A tick tells of all posts up to its newest one, so a later tick tells of an earlier post too.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from drill.checking.evidence import Evidence
from drill.checking.model import Post
from drill.checking.operations import Operation

LOOK_SECONDS = 2.0
"""From the entry in the timeline to the tick, and from a sign-out to the end of a stream."""
SLACK_SECONDS = 8.0
"""For the busy machine of a drill: a process may get no time for seconds."""
OUTLIVED_SECONDS = 30.0
"""A stream that lasts so much longer than its session does not end by itself. That it takes 2 s is
tested on a machine that is less busy."""
LEAVING_SECONDS = 40.0
"""After an unfollow a missing timeline is not built for half a minute."""
API_FAULTS = frozenset({"stop-api", "isolate-a-process"})
"""Faults in which a process cannot end a stream. The faults of the cache are others."""


@dataclass(slots=True)
class _Listener:
    """One user's streams, which follow one another, and their events."""

    viewer: int
    streams: list[Operation] = field(default_factory=list)
    events: list[Operation] = field(default_factory=list)

    @property
    def begin(self) -> float:
        """When the client first knew ids; inf if it never did."""
        return min((op.start for op in self.events), default=math.inf)

    @property
    def end(self) -> float:
        """When the last stream had ended."""
        return max((op.end for op in self.streams), default=0.0)

    def has_heard_by(self, deadline: float) -> float:
        """When a stream had been open for long enough to tell what was there at the deadline.

        inf if none was: during an outage of the graph and the cache no stream can be opened.
        """
        seconds = LOOK_SECONDS + SLACK_SECONDS
        for stream in self.streams:
            begin = max(stream.start, deadline)
            if stream.phase == "ok" and stream.end - begin >= seconds:
                return begin + seconds
        return math.inf

    def named(self, name: str, since: float, until: float) -> list[Operation]:
        """The events of a name between the two."""
        return [op for op in self.events if op.facts["name"] == name and since <= op.start <= until]


def check_live_streams(evidence: Evidence) -> None:
    """Add all violations of the streams."""
    sign_outs = {
        op.facts["token"]: op for op in evidence.ops if op.op == "sign-out" and op.phase == "ok"
    }
    for listener in _listeners(evidence.ops):
        _check_ids(evidence, listener)
        _check_number_of_ticks(evidence, listener)
        for post in evidence.model.posts.values():
            _check_tick(evidence, listener, post)
        _check_notifications(evidence, listener)
        for stream in listener.streams:
            if sign_out := sign_outs.get(stream.facts["token"]):
                _check_end(evidence, stream, sign_out)


def tick_lags(evidence: Evidence) -> list[float]:
    """By post and viewer, the seconds from the 201 to the first tick that tells of the post."""
    lags = []
    for listener in _listeners(evidence.ops):
        for post in evidence.model.posts.values():
            if until := _deadline(evidence, listener, post):
                first = next(_ticks_of(listener, post, until), None)
                if first:
                    lags.append(max(0.0, first.start - post.acknowledged))
    return sorted(lags)


def _listeners(ops: Sequence[Operation]) -> list[_Listener]:
    listeners: dict[int, _Listener] = {}
    for op in ops:
        if op.op in ("stream", "event"):
            viewer = op.facts["viewer"]
            listener = listeners.setdefault(viewer, _Listener(viewer))
            (listener.streams if op.op == "stream" else listener.events).append(op)
    return list(listeners.values())


def _check_ids(evidence: Evidence, listener: _Listener) -> None:
    """The ids that a client is told only rise, over all of its streams."""
    highest, last = (0, 0), None
    for event in listener.events:
        post_id, notification_id = _ids(event)
        if last and (post_id < highest[0] or notification_id < highest[1]):
            text = f"user {listener.viewer} was told {event.facts['last_id']} after {highest}"
            evidence.findings.add_violation("P9", "live-id-fell", text, last, event)
        highest, last = (max(highest[0], post_id), max(highest[1], notification_id)), event


def _check_number_of_ticks(evidence: Evidence, listener: _Listener) -> None:
    """Without new followees there are at most as many ticks as posts.

    One more is allowed for each stream that opened before the user had a timeline.
    """
    start = listener.begin
    followees = set()
    for (viewer, author), follow in evidence.model.follows.items():
        if viewer != listener.viewer:
            continue
        if any(op.end > start for op in follow.starts + follow.ends):
            return
        followees.add(author)
    ticks = listener.named("tick", 0, math.inf)
    posts = [
        post
        for post in evidence.model.posts.values()
        if post.author in followees | {listener.viewer} and post.acknowledged > start
    ]
    openings = listener.named("opening", 0, math.inf)
    without_list = sum(1 for opening in openings if not _ids(opening)[0])
    if len(ticks) > len(posts) + without_list:
        text = f"user {listener.viewer} got {len(ticks)} ticks of {len(posts)} posts"
        evidence.findings.add_violation("P9", "false-tick", text, *ticks[-3:])


def _check_tick(evidence: Evidence, listener: _Listener, post: Post) -> None:
    until = _deadline(evidence, listener, post)
    if not until or _knew_newer(listener, post, until):
        return
    if not any(_ticks_of(listener, post, until)):
        text = f"user {listener.viewer} got no tick of {post.tag} until {until:.1f} s"
        ops = [op for op in (post.acknowledgement, *listener.streams[-1:]) if op]
        evidence.findings.add_violation("P9", "tick-missed", text, *ops)


def _ticks_of(listener: _Listener, post: Post, until: float) -> Iterator[Operation]:
    return (
        tick
        for tick in listener.named("tick", post.earliest, until)
        if _ids(tick)[0] >= post.post_id
    )


def _deadline(evidence: Evidence, listener: _Listener, post: Post) -> float:
    """When a tick must have told of the post; 0 if none must."""
    acknowledgement = post.acknowledgement
    if acknowledgement is None or post.earliest < listener.begin:
        return 0.0
    until = listener.has_heard_by(evidence.deadlines.delivery(acknowledgement.end))
    follow = evidence.model.follows.get((listener.viewer, post.author))
    is_required = (
        until <= listener.end
        and not post.may_be_deleted(until)
        and follow is not None
        and follow.certain_start(post.earliest, until)
        and not _may_leave(evidence, listener.viewer, post.earliest - LEAVING_SECONDS, until)
    )
    return until if is_required else 0.0


def _knew_newer(listener: _Listener, post: Post, until: float) -> bool:
    """Whether the client came back with a newer post: a late one below it makes no tick then."""
    return any(
        post.earliest <= stream.start <= until
        and stream.facts["last_id"]
        and _ids(stream)[0] >= post.post_id
        for stream in listener.streams
    )


def _may_leave(evidence: Evidence, viewer: int, since: float, until: float) -> bool:
    """Whether the viewer may end a follow between the two."""
    return any(
        follow.starts and not follow.certainly_unbroken(since, until)
        for (follower, _), follow in evidence.model.follows.items()
        if follower == viewer
    )


def _check_notifications(evidence: Evidence, listener: _Listener) -> None:
    """The first follow of a day by somebody is told; later ones make no notification."""
    for (follower, followee), follow in evidence.model.follows.items():
        first = follow.starts[0] if follow.starts else None
        if followee != listener.viewer or first is None or first.phase != "ok":
            continue
        until = listener.has_heard_by(evidence.deadlines.delivery(first.end))
        if first.start < listener.begin or until > listener.end:
            continue
        if not listener.named("notification", first.start, until):
            text = f"user {followee} was not told that {follower} follows"
            evidence.findings.add_violation("P9", "notification-missed", text, first)


def _check_end(evidence: Evidence, stream: Operation, sign_out: Operation) -> None:
    """A stream ends with its session."""
    if stream.end - sign_out.end <= OUTLIVED_SECONDS or stream.start > sign_out.end:
        return
    deadlines = evidence.deadlines
    is_excused = deadlines.has_cache_fault(sign_out) or deadlines.faults_within(
        API_FAULTS, sign_out.start, stream.end
    )
    if is_excused and stream.end <= deadlines.delivery(sign_out.end):
        evidence.findings.add_exception(
            "P9 stream-outlived",
            viewer=stream.facts["viewer"],
            tag=stream.facts["token"],
            seconds=stream.end - sign_out.end,
        )
        return
    text = f"a stream of {stream.facts['token']} lasted {stream.end - sign_out.end:.1f} s longer"
    evidence.findings.add_violation("P9", "stream-outlived", text, sign_out, stream)


def _ids(event: Operation) -> tuple[int, int]:
    post_id, _, notification_id = event.facts["last_id"].partition("-")
    return int(post_id), int(notification_id)
