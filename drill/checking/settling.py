"""Rules on the end of a drill: the stage heals, all work is done, and logs hold no secret."""

from collections.abc import Callable, Mapping

from drill.checking.evidence import Evidence
from drill.checking.findings import Findings
from drill.checking.operations import Operation


def check_settling(evidence: Evidence) -> None:
    """P7 and P2: checks each operation that the drill records after the last fault."""
    for op in evidence.ops:
        if check := CHECKS.get(op.op):
            check(evidence.findings, op)


def _check_healed(findings: Findings, op: Operation) -> None:
    if op.phase != "ok":
        findings.add_violation("P7", "not-healed", op.facts["why"], op)


def _check_stopped(findings: Findings, op: Operation) -> None:
    for process in op.facts["processes"]:
        findings.add_violation("P7", "left-over", f"still runs: {process}", op)


def _check_drained(findings: Findings, op: Operation) -> None:
    facts = op.facts
    if op.phase != "ok":
        text = f"not drained after {facts['seconds']} s: {facts['why']}"
        findings.add_violation("P2", "not-drained", text, op)
    if facts["quarantined"]:
        text = f"{facts['quarantined']} events in quarantine, though none fails by itself"
        findings.add_violation("P2", "quarantined", text, op)


def _check_log(findings: Findings, op: Operation) -> None:
    for kind in ("traceback", "secret"):
        for excerpt in op.facts.get(kind, []):
            text = f"{kind} in the log of {op.facts['process']}: {excerpt}"
            findings.add_violation("P7", kind, text, op)


def _check_refusals(findings: Findings, op: Operation) -> None:
    for refusal in op.facts["refusals"]:
        findings.add_violation("P9", "invalid-message", f"a message was refused: {refusal}", op)


CHECKS: Mapping[str, Callable[[Findings, Operation], None]] = {
    "healed": _check_healed,
    "struck": _check_stopped,
    "drained": _check_drained,
    "log": _check_log,
    "refusals": _check_refusals,
}
