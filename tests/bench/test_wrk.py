import pytest

from bench.peers.wrk import Load, parse

OUTPUT = (
    'Running 1s test\nRESULT {"requests": 120, "microseconds": 2000000, "bytes": 9, '
    '"status": 20, "overloaded": 15, "lost": 1, "p50": 500.0, "p99": 1500.0}\n'
)


def test_the_output_of_wrk_is_parsed() -> None:
    assert parse(OUTPUT) == Load(
        requests=100, seconds=2.0, refused=5, overloaded=15, lost=1, p50_ms=0.5, p99_ms=1.5
    )
    assert parse(OUTPUT).rate == 50


def test_a_load_with_refused_or_lost_requests_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="went wrong"):
        parse(OUTPUT).require_success()
    with pytest.raises(ValueError, match="no result"):
        parse("Running 1s test")
