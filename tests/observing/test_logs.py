"""Log lines: one JSON object each, for our lines and those of libraries."""

import json
import subprocess
import sys

import pytest

from observing import logs

SCRIPT = """
import logging
import structlog
from observing import logs
logs.configure("test", level="info")
log = structlog.get_logger()
with structlog.contextvars.bound_contextvars(request_id="r-1"):
    log.info("ours", post_id=7)
    logging.getLogger("a.library").warning("theirs %s", "too")
log.debug("not shown")
logging.getLogger("botocore.hooks").info("not shown")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broken")
    logging.getLogger("a.library").exception("broken too")
"""


def test_every_line_of_ours_and_of_libraries_is_one_json_object() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30, check=True
    )
    ours, theirs, broken, broken_too = map(json.loads, done.stdout.splitlines())
    assert done.stderr == ""
    for line in (ours, theirs):
        assert line["request_id"] == "r-1"
    for line in (ours, theirs, broken, broken_too):
        assert line["service"] == "test"
        assert line["time"].endswith("Z")
    assert (ours["event"], ours["post_id"], ours["level"]) == ("ours", 7, "info")
    assert (theirs["event"], theirs["level"]) == ("theirs too", "warning")
    assert "request_id" not in broken
    assert "ZeroDivisionError" in broken["exception"]
    assert "ZeroDivisionError" in broken_too["exception"]


NOISY = """
import logging
from observing import logs
logs.configure("test", level="debug")
for name in ("neo4j.io", "neo4j.pool", "botocore.auth", "urllib3.connectionpool"):
    logging.getLogger(name).debug("RUN {'secret_sha256': 'abc'}")
logging.getLogger("neo4j.io").warning("shown")
"""


# Security 2
def test_libraries_that_log_what_they_send_are_quiet_at_debug() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOISY], capture_output=True, text=True, timeout=30, check=True
    )
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["shown"]


def test_an_unknown_level_is_refused_with_the_known_levels() -> None:
    with pytest.raises(ValueError, match="LOG_LEVEL is 'loud'; it must be one of debug, info"):
        logs.configure("test", level="loud")


# Security 25
@pytest.mark.parametrize(
    "character", ["\x1b", "\x7f", "\x85", "\x9b", "\xad", "\u200b", "\u2028", "\u202e", "\ufeff"]
)
def test_what_is_not_seen_is_escaped_and_stays_the_same_text(character: str) -> None:
    text = f"a{character}31mb"
    line = logs.to_json({"event": text})
    assert line.isprintable()
    assert json.loads(line) == {"event": text}


def test_other_letters_stay_as_they_are() -> None:
    assert logs.to_json({"event": "Ana 李 é 👩‍🍳".replace("\u200d", "")}) == (
        '{"event": "Ana 李 é 👩🍳"}'
    )
