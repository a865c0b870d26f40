"""The sections of an export, in order: each writes files into a part until it is full."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graph import Graph
from graph.exports import Export, Position
from graph.ids import MAX_ID
from storage import Storage
from workers.exports import records
from workers.exports.part import Part
from workers.exports.photos import PhotoWriter
from workers.exports.turn import Turn

PAGE = 500
"""People that one statement reads."""
POSTS_PAGE = 100
"""Posts that one statement reads: some 100 kB of JSON."""


@dataclass(slots=True, kw_only=True)
class Work:
    """A part that is being made of an export."""

    graph: Graph
    storage: Storage
    export: Export
    part: Part
    turn: Turn
    missing: list[dict[str, Any]] = field(default_factory=list)
    """The photos of this part that could not be read."""

    @property
    def user_id(self) -> int:
        """The user whose data is exported; the viewer of everything in it."""
        return self.export.user_id

    def has_time(self) -> bool:
        """Whether the part takes a further page."""
        return self.part.is_empty or (self.part.has_room() and not self.turn.is_over)

    def name(self, stem: str, before: int = MAX_ID) -> str:
        """The name of a list's file: with the part's number where an earlier part began it."""
        number = "" if before == MAX_ID else f"-{len(self.export.parts) + 1}"
        return f"{stem}{number}.json"


Section = Callable[[Work, int], int | None]
"""Writes what is below an id; returns the id below which the rest is, None at the end."""

Page = tuple[Sequence[dict[str, Any]], int | None]
"""Records, and the id below which the next page is; None at the end."""


def write(work: Work, begin: Position) -> Position | None:
    """Write from a position on until the part is full or its time is over.

    Returns the position of the rest, None at the end of all sections. Some of it is always written,
    so each part is a step ahead. Raises FencedError, StorageUnavailableError,
    GraphUnavailableError, NotFoundError if the user is no longer active.
    """
    names = list(SECTIONS)
    start = names.index(begin.section) if begin.section in SECTIONS else 0
    before = begin.before
    for name in names[start:]:
        if not work.has_time():
            return Position(section=name, before=before)
        rest = SECTIONS[name](work, before)
        if rest is not None:
            return Position(section=name, before=rest)
        before = MAX_ID
    return None


def _write_profile(work: Work, _before: int) -> None:
    graph, user_id, at = work.graph, work.user_id, work.export.created_at
    work.part.add("README.txt", records.readme_of(work.export), at, is_compressed=True)
    profile = records.profile_of(
        graph.users.by_id(user_id),
        graph.notification_settings.read(user_id),
        graph.sessions.of_user(user_id),
    )
    work.part.add_json("profile.json", profile, at)


def _list_of(stem: str, read_page: Callable[[Work, int], Page]) -> Section:
    """The section of a list, which is one file in each part that has some of it."""

    def write_list(work: Work, before: int) -> int | None:
        rest: int | None = before
        with work.part.json_list(work.name(stem, before), work.export.created_at) as add:
            while rest is not None:
                items, rest = read_page(work, rest)
                for item in items:
                    add(item)
                work.turn.go_on()
                if rest is not None and not work.has_time():
                    break
        return rest

    return write_list


def _following(work: Work, before: int) -> Page:
    follows, viewer = work.graph.follows, work.user_id
    users, rest = follows.following(viewer, viewer_id=viewer, before=before, limit=PAGE)
    return [records.person_of(user) for user in users], rest


def _followers(work: Work, before: int) -> Page:
    follows, viewer = work.graph.follows, work.user_id
    users, rest = follows.followers(viewer, viewer_id=viewer, before=before, limit=PAGE)
    return [records.person_of(user) for user in users], rest


def _blocks(work: Work, before: int) -> Page:
    users, rest = work.graph.blocks.list(work.user_id, before=before, limit=PAGE)
    return [records.person_of(user) for user in users], rest


def _posts(work: Work, before: int) -> Page:
    posts = work.graph.posts
    post_ids = posts.ids_by_author(work.user_id, before=before, limit=POSTS_PAGE)
    by_id = posts.many(post_ids)
    items = [records.post_of(by_id[post_id]) for post_id in post_ids if post_id in by_id]
    return items, post_ids[-1] if len(post_ids) == POSTS_PAGE else None


def _write_photos(work: Work, before: int) -> int | None:
    """The photos' files, and the lists of those in this part and of those that are missing."""
    writer = PhotoWriter(graph=work.graph, storage=work.storage, part=work.part, turn=work.turn)
    rest = writer.write(work.user_id, before)
    at = work.export.created_at
    if writer.added or (before == MAX_ID and rest is None):
        work.part.add_json("photos.json", [records.photo_of(one) for one in writer.added], at)
    if writer.missing:
        work.missing = [records.photo_of(one) for one in writer.missing]
        work.part.add_json("missing.json", work.missing, at)
    return rest


SECTIONS: Mapping[str, Section] = {
    "profile": _write_profile,
    "following": _list_of("following", _following),
    "followers": _list_of("followers", _followers),
    "blocks": _list_of("blocks", _blocks),
    "posts": _list_of("posts", _posts),
    "photos": _write_photos,
}
"""By name, in the order of the parts. A part that begins in a section of an older version, which is
not here, begins anew."""
