"""Writes histories for the check: a sound one, to which a test adds one violation."""

from typing import Any

from drill.checking.check import check
from drill.history import FAULT, Line, Phase

ANA, BEN, EVE = 1, 2, 3
"""Ben follows Ana; Eve follows nobody."""

END_FACTS = (
    *("status", "id", "posts", "next", "names", "pages"),
    *("replayed", "code", "retry_after", "ids"),
    *("groups", "refusals", "answer", "why"),
)
"""Facts that the end of an operation holds; the others belong to its start."""


class Script:
    """A history whose operations come one after the other, one second apart, 0.1 s long."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.now = 0.0
        self._last_number = 0

    def do(
        self, op: str, *, phase: Phase = "ok", session: str = "", lasting: float = 0.1, **facts: Any
    ) -> int:
        """Adds one operation and returns its number."""
        self.now += 1.0
        number = self._next_number()
        start: dict[str, Any] = dict(facts)
        end: dict[str, Any] = {}
        for fact in END_FACTS:
            if fact in start and not (op == "delete" and fact == "id"):
                end[fact] = start.pop(fact)
        end.setdefault("status", {"ok": 200, "fail": 0, "info": 0}[phase])
        session = session or f"s{facts.get('viewer', facts.get('author', 0))}"
        self._add(self.now, op, "invoke", session=session, number=number, facts=start)
        self._add(self.now + lasting, op, phase, session=session, number=number, facts=end)
        return number

    def fault(self, name: str, start: float, end: float) -> None:
        """Adds a fault that lasts from `start` to `end`."""
        for phase, at in (("begin", start), ("end", end)):
            facts = {"cases": [1], "fault": phase}
            self._add(at, name, "ok", session=FAULT, number=0, facts=facts)

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def follow(self, viewer: int, author: int, phase: Phase = "ok") -> int:
        return self.do("follow", viewer=viewer, author=author, phase=phase)

    def unfollow(self, viewer: int, author: int, phase: Phase = "ok") -> int:
        return self.do("unfollow", viewer=viewer, author=author, phase=phase)

    def post(self, author: int, post_id: int, *, phase: Phase = "ok", **facts: Any) -> int:
        """A post whose tag and key are made of its id."""
        default: dict[str, Any] = {"tag": f"p{post_id}", "key": f"k{post_id}", "replayed": False}
        if phase == "ok":
            default["id"] = post_id
        return self.do("post", author=author, phase=phase, **(default | facts))

    def delete(self, author: int, post_id: int, phase: Phase = "ok") -> int:
        return self.do("delete", author=author, id=post_id, tag=f"p{post_id}", phase=phase)

    def rename(self, author: int, name: str, phase: Phase = "ok") -> int:
        return self.do("rename", author=author, name=name, phase=phase)

    def sources(self, **pages: int) -> int:
        """The product's count of pages by source since its start."""
        return self.do("sources", session="pages", pages=pages)

    def read(self, viewer: int, *posts: tuple[int, int], more: bool = False, **facts: Any) -> int:
        """A first page with posts of (id, author)."""
        return self.do("read", viewer=viewer, posts=_as_shown(posts), next=more, **facts)

    def walk(self, viewer: int, *pages: list[tuple[int, int]], **facts: Any) -> int:
        """A walk over a whole feed, page by page."""
        walk, start = self._next_number(), self.now + 0.5
        for at, posts in enumerate(pages):
            more = at < len(pages) - 1
            shown = _as_shown(posts)
            self.do("page", viewer=viewer, walk=walk, at=at, posts=shown, next=more, **facts)
        all_facts = facts | {"viewer": viewer}
        self._add(start, "walk", "invoke", session="w", number=walk, facts=all_facts)
        self._add(self.now + 0.5, "walk", "ok", session="w", number=walk, facts=all_facts)
        return walk

    def settle(self, *, following: dict[int, list[int]] | None = None) -> None:
        """All faults have ended; the list of followees of every user is read."""
        self.wait(200)
        for viewer, ids in (following or {ANA: [], BEN: [ANA], EVE: []}).items():
            self.do("following", viewer=viewer, ids=ids)

    def final_walk(self, viewer: int, *posts: tuple[int, int]) -> None:
        self.walk(viewer, list(posts), final=1)

    def reserve(self) -> int:
        """The number of an operation that `span` adds later."""
        return self._next_number()

    def span(self, op: str, number: int, start: float, facts: dict[str, Any]) -> None:
        """Adds an operation that began at `start` and ends now."""
        self._add(start, op, "invoke", session="s", number=number, facts=facts)
        self._add(self.now, op, "ok", session="s", number=number, facts={"status": 200})

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _add(
        self, at: float, op: str, phase: Phase, *, session: str, number: int, facts: dict[str, Any]
    ) -> None:
        self.lines.append(
            Line(at=at, session=session, op=op, phase=phase, number=number, facts=facts)
        )
        self.lines.sort(key=lambda line: line.at)


def kinds(script: Script) -> list[str]:
    """The kinds of all violations that the check finds."""
    return [violation.kind for violation in check(script.lines).violations]


def _as_shown(posts: Any) -> list[list[Any]]:
    return [[post_id, author, f"p{post_id}"] for post_id, author in posts]
