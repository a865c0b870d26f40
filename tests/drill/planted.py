"""Histories written by hand: a sound one, to plant a violation in."""

from typing import Any

from drill.history import Line, Phase

ANA, BEN, EVE = 1, 2, 3
"""Ben follows Ana; Eve follows nobody."""


class Script:
    """Operations one after the other, each a tenth of a second long, a second apart."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.at = 0.0
        self._number = 0

    def do(
        self, op: str, *, phase: Phase = "ok", session: str = "", lasting: float = 0.1, **facts: Any
    ) -> int:
        """One operation from beginning to end; its number."""
        self.at += 1.0
        self._number += 1
        began: dict[str, Any] = dict(facts)
        ended: dict[str, Any] = {}
        for fact in ("status", "id", "posts", "next", "replayed", "code", "retry_after", "ids"):
            if fact in began and not (op == "delete" and fact == "id"):
                ended[fact] = began.pop(fact)
        ended.setdefault("status", {"ok": 200, "fail": 0, "info": 0}[phase])
        session = session or f"s{facts.get('viewer', facts.get('author', 0))}"
        steps: list[tuple[Phase, float, dict[str, Any]]] = [
            ("invoke", self.at, began),
            (phase, self.at + lasting, ended),
        ]
        for step, at, told in steps:
            self.lines.append(
                Line(at=at, session=session, op=op, phase=step, number=self._number, facts=told)
            )
        self.lines.sort(key=lambda line: line.at)
        return self._number

    def fault(self, name: str, begun: float, ended: float) -> None:
        """A fault from one moment to another."""
        for phase, at in (("begin", begun), ("end", ended)):
            facts = {"cases": [1], "fault": phase}
            self.lines.append(
                Line(at=at, session="fault", op=name, phase="ok", number=0, facts=facts)
            )
        self.lines.sort(key=lambda line: line.at)

    def wait(self, seconds: float) -> None:
        self.at += seconds

    def follow(self, viewer: int, author: int, phase: Phase = "ok") -> int:
        return self.do("follow", viewer=viewer, author=author, phase=phase)

    def unfollow(self, viewer: int, author: int, phase: Phase = "ok") -> int:
        return self.do("unfollow", viewer=viewer, author=author, phase=phase)

    def post(self, author: int, post_id: int, *, phase: Phase = "ok", **facts: Any) -> int:
        """A post whose tag and key are made of its id."""
        told: dict[str, Any] = {"id": post_id} if phase == "ok" else {}
        named: dict[str, Any] = {"tag": f"p{post_id}", "key": f"k{post_id}", "replayed": False}
        return self.do("post", author=author, phase=phase, **(named | told | facts))

    def delete(self, author: int, post_id: int, phase: Phase = "ok") -> int:
        return self.do("delete", author=author, id=post_id, tag=f"p{post_id}", phase=phase)

    def read(self, viewer: int, *posts: tuple[int, int], more: bool = False, **facts: Any) -> int:
        """A first page of (id, author)."""
        return self.do("read", viewer=viewer, posts=_shown(posts), next=more, **facts)

    def walk(self, viewer: int, *pages: list[tuple[int, int]], **facts: Any) -> int:
        """All of a feed, in pages."""
        self._number += 1
        walk, begun = self._number, self.at + 0.5
        for at, posts in enumerate(pages):
            more = at < len(pages) - 1
            shown = _shown(posts)
            self.do("page", viewer=viewer, walk=walk, at=at, posts=shown, next=more, **facts)
        told = facts | {"viewer": viewer}
        for step, when in (("invoke", begun), ("ok", self.at + 0.5)):
            phase: Phase = "invoke" if step == "invoke" else "ok"
            self.lines.append(
                Line(at=when, session="w", op="walk", phase=phase, number=walk, facts=told)
            )
        self.lines.sort(key=lambda line: line.at)
        return walk


def _shown(posts: Any) -> list[list[Any]]:
    return [[post_id, author, f"p{post_id}"] for post_id, author in posts]
