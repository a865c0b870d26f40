"""The check finds a drill that does not end as it must."""

from tests.drill.script import Script, kinds


def test_a_stage_that_is_not_drained_is_found(script: Script) -> None:
    script.do("drained", phase="fail", seconds=240.0, why="1 events, 0 jobs", quarantined=0)
    assert kinds(script) == ["not-drained"]


def test_an_event_in_quarantine_is_found(script: Script) -> None:
    script.do("drained", seconds=40.0, why="", quarantined=1)
    assert kinds(script) == ["quarantined"]


def test_a_process_that_does_not_come_back_is_found(script: Script) -> None:
    script.do("healed", phase="fail", why="api-1 does not run")
    assert kinds(script) == ["not-healed"]


def test_a_leftover_process_is_found(script: Script) -> None:
    script.do("struck", phase="fail", processes=["1 python"])
    assert kinds(script) == ["left-over"]


def test_tracebacks_and_secrets_in_logs_are_found(script: Script) -> None:
    script.do("log", process="api-1", traceback=["Traceback …"], secret=["pf_abcde"])
    assert kinds(script) == ["traceback", "secret"]
