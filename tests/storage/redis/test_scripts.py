"""Each script names its keys in KEYS: on a cluster, a key that it builds can be on another node."""

import re
from pathlib import Path

import pytest

import storage.redis.scripts

SCRIPTS = sorted(Path(storage.redis.scripts.__file__).parent.glob("*.lua"))
CALL = re.compile(r"\b(?:call|pcall)\('(\w+)'(?:, ([^,()]+(?:\([^)]*\))?[^,()]*))?")
WITHOUT_KEY = {"INFO", "TIME", "DBSIZE", "FLUSHDB"}
KEY = re.compile(r"KEYS\[(?:\d|i)\]")
OF_WHOLE_SERVERS = {"generation.lua": {"'rq:queues'"}}
"""The check of a database looks at the database itself, not at the keys of a user."""
TO_BE_REWRITTEN = {"unread.lua"}
"""It reads the bodies of posts, which are in other slots than the list."""


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.name))
def test_a_script_builds_no_key(path: Path) -> None:
    text = re.sub(r"--.*", "", path.read_text())
    calls = CALL.findall(text)
    assert len(calls) == len(re.findall(r"\bp?call\(", text)), "each call names its command"
    built = {key for command, key in calls if command not in WITHOUT_KEY and not KEY.fullmatch(key)}
    if path.name not in TO_BE_REWRITTEN:
        assert built <= OF_WHOLE_SERVERS.get(path.name, set())
