"""Rules on notifications in the final state: P9. Each follower is told once, and nobody else."""

from collections import Counter

from drill.checking.evidence import Evidence
from drill.checking.operations import Operation


def check_activity(evidence: Evidence) -> None:
    """Compare the notifications of every user with the lists of followees."""
    followees = {
        op.facts["viewer"]: op.facts["ids"]
        for op in evidence.ops
        if op.op == "following" and op.phase == "ok"
    }
    followers = Counter(followee for ids in followees.values() for followee in ids)
    for op in evidence.ops:
        if op.op != "activity":
            continue
        if op.phase != "ok":
            text = f"the notifications of user {op.facts['viewer']} could not be read"
            evidence.findings.add_violation("P9", "no-activity", text, op)
        elif op.facts["viewer"] in followees:
            _check_groups(evidence, op, followees, followers[op.facts["viewer"]])


def _check_groups(
    evidence: Evidence, op: Operation, followees: dict[int, list[int]], followers: int
) -> None:
    viewer, groups = op.facts["viewer"], op.facts["groups"]
    keys = [(kind, day) for kind, day, *_ in groups]
    told = sum(1 + others for _, _, _, others, _ in groups)
    if len(keys) != len(set(keys)):
        text = f"user {viewer} has a group twice: {keys}"
        evidence.findings.add_violation("P9", "group-twice", text, op)
    # Who followed again on another day is told of twice.
    if told < followers or (told > followers and len(keys) == 1):
        text = f"user {viewer} has {followers} followers and was told of {told}"
        evidence.findings.add_violation("P9", "followers-told", text, op)
    for _, _, actor, _, text in groups:
        if viewer not in followees.get(actor, [viewer]):
            evidence.findings.add_violation("P9", "stranger-told", f"user {viewer}: {text}", op)
