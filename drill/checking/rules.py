"""Rules beside those of reads: on every answer, on how all stands at the end, on lists and logs."""

from collections.abc import Callable, Iterable, Mapping

from drill.checking.model import Operation, Post, faults, operations
from drill.checking.reads import Checker, Findings
from drill.history import Line
from feed.proof import watermark
from storage.timeline_layout import ABOVE_NOTHING, DISORDER, TIMELINE_TTL_SECONDS

SIGNED_IN = {"read", "page", "post", "delete", "follow", "unfollow", "block", "unblock"}
REFUSED = {0, 401, 409, 429}
"""No answer; of the session; a key in flight; too many: each has a rule of its own, or none."""


def check(lines: Iterable[Line]) -> Findings:
    """All violations in a history, in the order in which they were seen."""
    lines = list(lines)
    checker = Checker(operations(lines), faults(lines))
    checker.run()
    _check_answers(checker)
    _check_sessions(checker)
    ending = _Ending(checker)
    ending.check_feeds()
    for one in checker.ops:
        if rule := ENDINGS.get(one.op):
            rule(ending, one)
    checker.findings.violations.sort(key=lambda one: one.at)
    return checker.findings


def _check_answers(checker: Checker) -> None:
    """No 500, no 503 without Retry-After, no refusal without its reason."""
    for one in checker.ops:
        status, code = one.facts.get("status"), one.facts.get("code", "")
        if status is None or status in REFUSED or 200 <= status < 300:
            continue
        if status >= 500:
            if status != 503:
                _told(checker, "P7", "server-error", one)
            elif not one.facts["retry_after"]:
                _told(checker, "P7", "no-retry-after", one)
            continue
        allowed = MAY_BE_REFUSED.get((one.op, status))
        if not (allowed and allowed(checker, one)):
            _told(checker, "P1", f"refused-{code or status}", one)


def _told(checker: Checker, promise: str, kind: str, one: Operation) -> None:
    text = f"{one.op} of {one.session} was answered {one.facts['status']} {one.facts.get('code')}"
    checker.findings.violation(promise, kind, text, one)


def _hidden(checker: Checker, one: Operation) -> bool:
    """Whether a block may have hidden the followee."""
    viewer, author = one.facts["viewer"], one.facts["author"]
    pairs = ((viewer, author), (author, viewer))
    return any(checker.model.blocks[pair].possible(one.begun, one.ended) for pair in pairs)


def _blocked_back(checker: Checker, one: Operation) -> bool:
    """Whether who is blocked may have blocked too, and so be hidden."""
    pair = one.facts["blocked"], one.facts["blocker"]
    return checker.model.blocks[pair].possible(one.begun, one.ended)


def _may_be_deleted(checker: Checker, one: Operation) -> bool:
    return checker.model.posts[one.facts["tag"]].going(one.ended)


MAY_BE_REFUSED: Mapping[tuple[str, int], Callable[[Checker, Operation], bool]] = {
    ("follow", 404): _hidden,
    ("unfollow", 404): _hidden,
    ("block", 404): _blocked_back,
    ("post", 410): _may_be_deleted,
}
"""Refusals that the promises allow, under these conditions; a post deleted again is a 204."""


def _check_sessions(checker: Checker) -> None:
    """P6: after a sign-out nobody accepts the token; before it everybody does."""
    outs: dict[str, list[Operation]] = {}
    for one in checker.ops:
        if one.op == "sign-out":
            outs.setdefault(one.facts["token"], []).append(one)
    for one in checker.ops:
        token = str(one.facts.get("token") or one.facts.get("by"))
        if one.op == "use" and one.phase == "ok":
            ended = [out for out in outs[token] if out.phase == "ok" and out.ended <= one.begun]
            if ended:
                text = f"{token} was accepted after its sign-out"
                checker.findings.violation("P6", "session-revived", text, ended[0], one)
        elif one.op in SIGNED_IN and one.facts.get("status") == 401:
            begun = [out for out in outs.get(token, ()) if out.begun <= one.ended]
            if not begun:
                text = f"{token} was refused and never signed out"
                checker.findings.violation("P1", "session-lost", text, one)


class _Ending:
    """Everything quiet: what the feeds must be, to the last post."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._findings = checker.findings
        self._following = {
            one.facts["viewer"]: one
            for one in checker.ops
            if one.op == "following" and one.phase == "ok"
        }
        self._walks = [read for read in checker.reads if read.op.facts.get("final")]
        self._existing = {tag for tag, post in checker.model.posts.items() if self._exists(post)}

    def check_feeds(self) -> None:
        """Each final walk shows just what the model holds, and the follows are what they must be.

        Where the history leaves it open whether a follow stands, the list of followees decides;
        whether a post exists, its author's own feed.
        """
        for viewer, one in self._following.items():
            self._check_following(viewer, one)
        for read in self._walks:
            if read.viewer not in self._following or read.floor:
                continue
            shown = {tag for _, _, tag in read.shown}
            wanted = self._wanted(read.viewer)
            for tag in sorted(wanted - shown):
                self._tell(read.op, "P2", "lost", f"never got {tag}", tag)
            for tag in sorted(shown - wanted):
                self._tell(read.op, "P6", "extra", f"still has {tag}", tag)

    def check_healed(self, one: Operation) -> None:
        if one.phase != "ok":
            self._findings.violation("P7", "not-healed", one.facts["why"], one)

    def check_struck(self, one: Operation) -> None:
        for process in one.facts["processes"]:
            self._findings.violation("P7", "left-over", f"still runs: {process}", one)

    def check_drained(self, one: Operation) -> None:
        if one.phase != "ok":
            text = f"not drained after {one.facts['seconds']} s: {one.facts['why']}"
            self._findings.violation("P2", "not-drained", text, one)
        if one.facts["quarantined"]:
            text = f"{one.facts['quarantined']} events in quarantine, and nothing was poisoned"
            self._findings.violation("P2", "quarantined", text, one)

    def check_walked(self, one: Operation) -> None:
        if one.facts.get("final") and one.phase != "ok":
            text = f"user {one.facts['viewer']} could not read to the end when all was quiet"
            self._findings.violation("P4", "no-final-walk", text, one)

    def check_list(self, one: Operation) -> None:
        """Redis itself: sentinel, order, nothing missing above the watermark, TTL, cap."""
        entries: list[int] = one.facts["entries"]
        if not entries:
            return
        for kind, problem in self._list_problems(one, entries):
            text = f"list of user {one.facts['viewer']}: {problem}"
            self._findings.violation("P7", f"list-{kind}", text, one)

    def check_log(self, one: Operation) -> None:
        for kind in ("traceback", "secret"):
            for excerpt in one.facts.get(kind, []):
                text = f"{kind} in the log of {one.facts['process']}: {excerpt}"
                self._findings.violation("P7", kind, text, one)

    def _list_problems(self, one: Operation, entries: list[int]) -> Iterable[tuple[str, str]]:
        ids = [entry for entry in entries if entry > 0]
        if len(ids) < len(entries) - (entries[0] <= 0):
            yield "sentinel", "a sentinel within the list"
        highest = 0
        for entry in ids:
            highest = max(highest, entry)
            if highest - entry > DISORDER:
                yield "order", f"{entry} stands after {highest}"
        if entries[0] == -ABOVE_NOTHING and one.facts["ttl"] > 60:
            yield "sentinel", "it is being built and lives on"
        if not 0 < one.facts["ttl"] <= TIMELINE_TTL_SECONDS:
            yield "ttl", f"it lives {one.facts['ttl']} s"
        if len(entries) > one.facts["longest"]:
            yield "cap", f"{len(entries)} entries"
        mark = watermark(entries)
        viewer = one.facts["viewer"]
        if mark is None or viewer not in self._following:
            return
        wanted = {self._checker.model.posts[tag].post_id for tag in self._wanted(viewer)}
        missing = sorted(post_id for post_id in wanted - set(ids) if post_id > mark)
        if missing:
            yield "missing", f"complete above {mark}, but without {missing}"
        of_others = [i for i in ids if i > mark and i not in wanted and not self._deleted(i)]
        if of_others:
            yield "extra", f"holds {sorted(of_others)}"

    def _deleted(self, post_id: int) -> bool:
        """Whether a deletion may have left it there: its body is a tombstone then."""
        post = self._checker.model.by_id.get(post_id)
        return post is not None and bool(post.deletions)

    def _check_following(self, viewer: int, one: Operation) -> None:
        listed = set(one.facts["ids"])
        for (who, author), edge in list(self._checker.model.edges.items()):
            if who != viewer:
                continue
            if author not in listed and (make := edge.sure(one.begun, one.ended)):
                text = f"user {viewer} does not follow {author} any more"
                self._findings.violation("P1", "follow-lost", text, make, one)
            if author in listed and not edge.possible(one.begun, one.ended):
                text = f"user {viewer} follows {author} again"
                self._findings.violation("P1", "follow-revived", text, *edge.ending[-1:], one)

    def _exists(self, post: Post) -> bool:
        if not post.post_id:
            return False
        if not post.going(float("inf")):
            return True
        if any(one.phase == "ok" for one in post.deletions):
            return False
        own = [read for read in self._walks if read.viewer == post.author and not read.floor]
        return bool(own) and any(tag == post.tag for _, _, tag in own[0].shown)

    def _wanted(self, viewer: int) -> set[str]:
        authors = {viewer, *self._following[viewer].facts["ids"]}
        posts = self._checker.model.posts
        return {tag for tag in self._existing if posts[tag].author in authors}

    def _tell(self, walk: Operation, promise: str, kind: str, text: str, tag: str) -> None:
        viewer = walk.facts["viewer"]
        post = self._checker.model.posts.get(tag)
        deeds = [one for one in ([post.told] if post else []) if one]
        deeds += post.deletions if post else []
        if post and post.author != viewer:
            edge = self._checker.model.edges[viewer, post.author]
            deeds += sorted(edge.making + edge.ending, key=lambda one: one.begun)[-3:]
        text = f"when all was quiet, user {viewer} {text}"
        self._findings.violation(promise, kind, text, *deeds, walk)


ENDINGS: Mapping[str, Callable[[_Ending, Operation], None]] = {
    "healed": _Ending.check_healed,
    "struck": _Ending.check_struck,
    "drained": _Ending.check_drained,
    "walk": _Ending.check_walked,
    "list": _Ending.check_list,
    "log": _Ending.check_log,
}
