"""The product's own counters that a drill reports: how much work was done, and how much twice."""

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

LABELS = {
    "photofeed_timeline_pushes_total": "pushes",
    "photofeed_jobs_total": "jobs",
    "photofeed_sweeper_rings_total": "wakes by the sweeper",
    "photofeed_timeline_rebuilds_total": "rebuilds",
    "photofeed_timeline_reads_total": "pages",
    "photofeed_author_pushes_missed_total": "author's pushes missed",
}
"""By metric, its name in the report."""


def read_counters(folder: str) -> dict[str, float]:
    """The counters of all processes, of ended ones too, from the folder of prometheus_client.

    Keys are the name in the report and the values of the labels.
    """
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    counters: dict[str, float] = {}
    for metric in registry.collect():
        for sample in metric.samples:
            if sample.name in LABELS and sample.value:
                values = [sample.labels[name] for name in sorted(sample.labels) if name != "pid"]
                counters[" ".join([LABELS[sample.name], *values])] = sample.value
    return dict(sorted(counters.items()))
