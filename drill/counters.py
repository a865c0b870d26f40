"""The product's own counters that a drill reports: how much work was done, and how much twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client.multiprocess import MultiProcessCollector

from observing.metric_files import settled

PAGES = "photofeed_timeline_reads_total"
"""The counter of feed pages by `source`."""
SWEPT = "photofeed_swept_total"
"""The counter of cleared items by `what`."""
LABELS = {
    "photofeed_timeline_pushes_total": "pushes",
    "photofeed_jobs_total": "jobs",
    "photofeed_sweeper_rings_total": "wakes by the sweeper",
    "photofeed_timeline_rebuilds_total": "rebuilds",
    PAGES: "pages",
    "photofeed_author_pushes_missed_total": "author's pushes missed",
}
"""By metric, its name in the report."""


def read_counters(folder: str) -> dict[str, float]:
    """The counters of all processes, of ended ones too, from the folder of prometheus_client.

    Keys are the name in the report and the values of the labels.
    """
    counters: dict[str, float] = {}
    for sample in _samples(folder):
        if sample.name in LABELS and sample.value:
            values = [sample.labels[name] for name in sorted(sample.labels)]
            counters[" ".join([LABELS[sample.name], *values])] = sample.value
    return dict(sorted(counters.items()))


def read_pages_by_source(folder: str) -> dict[str, float]:
    """The feed pages of all processes by their source, of ended processes too.

    A killed process may have had some pages in a buffer: these are missing.
    """
    samples = [sample for sample in _samples(folder) if sample.name == PAGES]
    return {sample.labels["source"]: sample.value for sample in samples if sample.value}


def read_swept(folder: str) -> dict[str, float]:
    """How many items of each kind the sweeper has cleared."""
    samples = [sample for sample in _samples(folder) if sample.name == SWEPT]
    return {sample.labels["what"]: sample.value for sample in samples}


def _samples(folder: str) -> Iterator[Any]:
    """The samples of all counters, added up."""
    with settled(Path(folder)) as paths:
        files = [str(path) for path in paths if path.name.startswith("counter_")]
        metrics = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
    for metric in metrics:
        yield from metric.samples
