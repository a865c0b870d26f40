"""Changes: what processes must drop from their local copies (docs/decisions/0014).

Each partition has the newest change (`ch:{tag}`) and a log of the newest LOG_LENGTH changes
(`cl:{tag}`), both without a TTL. An entry is `number change-id subject`; numbers rise by one. A
writer announces a change to all partitions. A reader compares the newest change of one partition,
the viewer's, with the one that it has applied.
"""

import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Self

from redis.exceptions import NoScriptError

from storage.redis.partitions import TAG_BYTES, partition_of
from storage.redis.protocol import pack, pack_parts
from storage.redis.scripts import Script
from storage.redis.server import Server

ANNOUNCE = Script("announce")
CHANGES_SINCE = Script("changes_since")

LOG_LENGTH = 1_000
"""Changes in the log of a partition. A process that is further behind drops all its copies."""
MAX_SUBJECTS = 100
"""The most subjects of one announcement. More are announced as one change of everything."""
NO_CHANGE = b"-"
"""The change id of a counter that has just been created."""


class SubjectKind(StrEnum):
    """What a change concerns. The value is the first character of the subject's text."""

    POST = "p"
    AUTHOR = "a"
    SESSION = "s"
    USER = "u"
    EVERYTHING = "*"


class Subject(NamedTuple):
    """What must be dropped: a post, all posts of an author, a session, all sessions of a user."""

    kind: SubjectKind
    id: int = 0
    """The id of the post, session or user. 0 for everything."""

    def to_bytes(self) -> bytes:
        """The text of the subject: `p7`, `a7`, `s7`, `u7` or `*`."""
        text = self.kind.value
        return (f"{text}{self.id}" if self.id else text).encode()

    @classmethod
    def from_bytes(cls, text: bytes) -> Self:
        """The subject of the text. A text of a newer version means everything."""
        try:
            return cls(SubjectKind(text[:1].decode()), int(text[1:] or 0))
        except ValueError:
            return cls(SubjectKind.EVERYTHING)


EVERYTHING = Subject(SubjectKind.EVERYTHING)
"""All copies."""


def post(post_id: int) -> Subject:
    """The body of a post."""
    return Subject(SubjectKind.POST, post_id)


def author(author_id: int) -> Subject:
    """The bodies of all posts of an author."""
    return Subject(SubjectKind.AUTHOR, author_id)


def session(session_id: int) -> Subject:
    """The copy of a session."""
    return Subject(SubjectKind.SESSION, session_id)


def user(user_id: int) -> Subject:
    """The copies of all sessions of a user."""
    return Subject(SubjectKind.USER, user_id)


class Change(NamedTuple):
    """One change in one partition."""

    number: int
    id: bytes
    """The same in all partitions. NO_CHANGE for a counter that has just been created."""
    subject: Subject

    @classmethod
    def from_bytes(cls, entry: bytes) -> Self | None:
        """The change of an entry, or None if the value is not one."""
        try:
            number, change_id, subject = entry.split(b" ")
            return cls(int(number), change_id, Subject.from_bytes(subject))
        except ValueError:
            return None


class Since(NamedTuple):
    """The reply of CHANGES_SINCE."""

    newest: bytes
    """The entry of the newest change."""
    changes: list[Change]
    """The changes after the applied number, by rising number, as far as the log has them."""

    def follows(self, applied: bytes) -> bool:
        """Whether no change is missing between the applied entry and the newest one."""
        first, last = Change.from_bytes(applied), Change.from_bytes(self.newest)
        if first is None or last is None or last.number < first.number:
            return False
        if last.number == first.number:  # another change of this number: the counter began anew
            return self.newest == applied
        numbers = [change.number for change in self.changes]
        return numbers == list(range(first.number + 1, last.number + 1))


KEYS = tuple((b"ch:{%b}" % tag, b"cl:{%b}" % tag) for tag in TAG_BYTES)
"""The newest change and the log of each partition."""

_LATEST = tuple(pack(b"GET", newest) for newest, _ in KEYS)
_ANNOUNCE_CALLS = tuple(pack_parts(b"EVALSHA", ANNOUNCE.digest, 2, *keys) for keys in KEYS)
"""The first five parts of each partition's call."""


def pack_latest(user_id: int) -> bytes:
    """The packed command whose reply is the newest change of the user's partition, or None."""
    return _LATEST[partition_of(user_id)]


def pack_latest_of(partition: int) -> bytes:
    """The packed command whose reply is the newest change of a partition, or None."""
    return _LATEST[partition]


def pack_since(partition: int, applied: bytes) -> bytes:
    """The packed call of CHANGES_SINCE. `applied`: the last applied entry, b"" for none."""
    return CHANGES_SINCE.pack_call(KEYS[partition], [applied.partition(b" ")[0]])


def pack_all_newest() -> list[bytes]:
    """The packed calls of CHANGES_SINCE for the newest change of every partition, in order."""
    return [pack_since(partition, b"") for partition in range(len(KEYS))]


def parse_since(reply: Sequence[bytes]) -> Since:
    """The reply of CHANGES_SINCE. An entry that is not a change is left out, so it is missing."""
    newest, *entries = reply
    return Since(newest, [c for c in map(Change.from_bytes, entries) if c is not None])


def pack_announcement(subjects: Sequence[Subject]) -> list[bytes]:
    """The packed calls of ANNOUNCE, one a partition, with a new change id for each subject."""
    if len(subjects) > MAX_SUBJECTS:
        subjects = [EVERYTHING]
    arguments: list[bytes | int] = [LOG_LENGTH]
    for subject in subjects:
        arguments += [secrets.token_hex(8).encode(), subject.to_bytes()]
    count, packed = b"*%d\r\n" % (5 + len(arguments)), pack_parts(*arguments)
    return [b"".join((count, call, packed)) for call in _ANNOUNCE_CALLS]


class Changes:
    """Announces changes to every process."""

    def __init__(self, cache: Server) -> None:
        self._cache = cache

    def announce(self, subjects: Sequence[Subject]) -> None:
        """Announce to all partitions that the subjects changed, in one buffer.

        To be called after the truth has changed and the copies in the cache are removed, and
        before the 2xx. It may be repeated: that costs the processes another drop. Raises
        StorageUnavailableError; then some partitions may have the change and others not.
        """
        if not subjects:
            return
        commands = pack_announcement(subjects)
        with self._cache.connection() as connection:
            try:
                connection.execute(commands)
            except NoScriptError:
                connection.execute([ANNOUNCE.pack_load(), *commands])
