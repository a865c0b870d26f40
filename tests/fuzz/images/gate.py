"""Sends mangled files through the image gate, each in the real child, and counts what comes back.

What must hold for any bytes: the worker gets renditions, a known code, or an interruption that
another try may mend; and the child makes no system call that is refused.
"""

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog

from tests.fuzz.images.corpus import File, files
from tests.fuzz.images.mutation import mangled
from tests.support.peak_memory import PeakMemory
from workers.photos.confinement import Limits
from workers.photos.decoding import render_in_child
from workers.photos.errors import PROCESSING_FAILED, DecodingInterruptedError, ImageRefusedError
from workers.photos.imaging import FORMATS, REFUSAL_CODES

MOST_KEPT = 100
"""Mangled files of a type that are kept to be mangled further."""
PATIENT = Limits(wall_seconds=60.0)
"""The limits of production but for the time on the clock: the machine can be busy."""

READY, INTERRUPTED, ESCAPED = "ready", "interrupted", "ESCAPED"


@dataclass(slots=True)
class Report:
    """What became of the files."""

    seed: int
    files: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Declared type and outcome → files."""
    signals: Counter[str] = field(default_factory=Counter)
    """Signal that has ended a child → files."""
    findings: list[tuple[str, File]] = field(default_factory=list)
    """What must not happen, and the file that did it."""
    peak_bytes: int = 0
    """The largest memory seen of a child."""

    def text(self) -> str:
        """The report as lines."""
        by_type = [
            f"  {declared:<12} " + ", ".join(self._counts(declared)) for declared in sorted(FORMATS)
        ]
        signals = ", ".join(f"{name} {count}" for name, count in self.signals.most_common())
        return "\n".join(
            (
                f"{self.files} files, SEED={self.seed}",
                *by_type,
                f"  ended by a signal: {signals or 'none'}",
                f"  largest memory of a child: {self.peak_bytes >> 20} MiB",
                f"  findings: {len(self.findings)}",
                *(f"    {what} ({len(file.data)} bytes)" for what, file in self.findings),
            )
        )

    def _counts(self, declared: str) -> Iterator[str]:
        for (of_type, outcome), count in self.outcomes.most_common():
            if of_type == declared:
                yield f"{outcome} {count}"


def fuzz(
    seed: int,
    *,
    seconds: float,
    most_files: int | None = None,
    on_file: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Send files through the gate until the time is over, or so many of them."""
    report, end = Report(seed), time.monotonic() + seconds
    with PeakMemory() as memory:
        for file in _files(random.Random(seed), report):
            _try(file, report)
            report.peak_bytes = memory.peak_bytes
            on_file(report)
            if time.monotonic() > end or report.files == most_files:
                return report
    raise AssertionError


def _files(rng: random.Random, report: Report) -> Iterator[File]:
    """The corpus as it is, then mangled files without end, of all types alike.

    Files that were shown are mangled further.
    """
    yield from files()
    kept = {one: [file.data for file in files() if file.declared == one] for one in FORMATS}
    corpus = {declared: len(those) for declared, those in kept.items()}
    while True:
        actual = rng.choice(list(FORMATS))
        those = kept[actual]
        data = mangled(rng, rng.choice(those), actual, those)
        declared = rng.choice(list(FORMATS)) if rng.random() < 0.02 else actual
        before = report.outcomes[actual, READY]
        yield File(declared, data)
        if report.outcomes[actual, READY] > before:
            those.append(data)
        if len(those) > corpus[actual] + MOST_KEPT:
            del those[rng.randrange(corpus[actual], len(those))]


def _try(file: File, report: Report) -> None:
    with structlog.testing.capture_logs() as lines:
        outcome = _outcome(file, report)
    for line in lines:
        name = str(line.get("signal") or line["event"])
        report.signals[name] += 1
        if name == "SIGSYS" or "trace" in line:
            report.findings.append((f"{name} {line.get('trace', '')}".strip(), file))
    report.files += 1
    report.outcomes[file.declared, outcome] += 1


def _outcome(file: File, report: Report) -> str:
    try:
        render_in_child(file.data, file.declared, limits=PATIENT)
    except ImageRefusedError as refused:
        if refused.code not in REFUSAL_CODES | {PROCESSING_FAILED}:
            report.findings.append((f"an unknown code: {refused.code}", file))
        return refused.code
    except DecodingInterruptedError as error:
        report.findings.append((str(error), file))
        return INTERRUPTED
    except Exception:  # noqa: BLE001 - what is looked for
        report.findings.append((traceback.format_exc(), file))
        return ESCAPED
    return READY
