from drill.checking.evidence import Evidence
from drill.checking.notice_counts import NoticeCounts, count_notices
from tests.drill.script import BEN, Script


def test_messages_events_and_streams_are_counted(script: Script) -> None:
    for answer in (201, 201, "hang"):
        script.do("push", session="push", browser="/b", topic="t", body="", answer=answer)
    script.do("event", viewer=BEN, stream=9, name="tick", last_id="20-0")
    script.do("stream", viewer=BEN, token="b.0", last_id="", why="signed-out")
    script.do("stream", viewer=BEN, token="b.0", last_id="", phase="fail", status=503)
    counts = count_notices(Evidence(script.lines))
    assert counts.messages == {"201": 2, "hang": 1}
    assert counts.events == {"tick": 1}
    assert counts.streams == {"signed-out": 1, "503": 1}


def test_a_long_drill_must_have_notices() -> None:
    assert NoticeCounts().shortfalls(60) == []
    assert len(NoticeCounts().shortfalls(600)) == 2
    enough = NoticeCounts(messages={"201": 10, "503": 10}, tick_lag=[1.0] * 20)
    assert enough.shortfalls(600) == []
