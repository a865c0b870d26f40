"""Rule on names, P3 and P6: after a rename no page shows the author's old name in a post."""

from collections.abc import Sequence

from drill.checking.evidence import Evidence
from drill.checking.operations import Operation
from drill.checking.reads import Read


def check_names(evidence: Evidence) -> None:
    """Add a violation for each page that shows a name whose successor was acknowledged before.

    P3's exceptions: a rename during a fault of the cache shows within B, and a post whose deletion
    got no 2xx keeps the old name until the deletion's event is done.
    """
    for page in evidence.reads.pages:
        for author, name in page.op.facts.get("names", ()):
            if rename := _successor(evidence.model.renames[author], name, page):
                _add(evidence, page, author, name, rename)


def _successor(renames: Sequence[Operation], shown: str, page: Read) -> Operation | None:
    """The latest rename that was done before the page and certainly replaced the shown name.

    A name that nobody has given is that of the sign-up, so each rename replaces it.
    """
    given = max((op.latest_effect for op in renames if op.facts["name"] == shown), default=0.0)
    done = (op for op in reversed(renames) if op.phase == "ok" and op.end <= page.start)
    return next((op for op in done if op.start > given), None)


def _add(evidence: Evidence, page: Read, author: int, name: str, rename: Operation) -> None:
    findings, seconds = evidence.findings, page.start - rename.end
    deadline = evidence.deadlines.delivery(rename.end)
    if _may_be_half_deleted(evidence, page, author) or (
        page.start <= deadline and evidence.deadlines.has_cache_fault(rename)
    ):
        findings.add_exception("P3 old-name", viewer=page.viewer, tag=name, seconds=seconds)
        return
    text = (
        f"user {page.viewer} was shown the name {name!r} of {author}, {seconds:.2f} s after it "
        f"became {rename.facts['name']!r}"
    )
    findings.add_violation("P3", "old-name-shown", text, rename, page.op)


def _may_be_half_deleted(evidence: Evidence, page: Read, author: int) -> bool:
    """Whether the page has a post of the author whose deletion may have begun: see P3.

    A rename does not find such a post in the graph.
    """
    posts = [evidence.model.posts[shown.tag] for shown in page.posts if shown.author == author]
    return any(post.may_be_deleted(page.end) for post in posts)
