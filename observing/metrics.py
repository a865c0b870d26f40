"""All metrics of our processes.

If PROMETHEUS_MULTIPROC_DIR is set before the start, the admin app adds up all processes.
"""

import os
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

if _folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    Path(_folder).mkdir(parents=True, exist_ok=True)  # each metric opens its file here

REQUESTS = Counter("photofeed_requests_total", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "photofeed_request_seconds",
    "Seconds from a request's arrival to its response.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
FAIL_OPEN_TOTAL = Counter(
    "photofeed_fail_open_total", "Calls that failed open: their caller continued.", ["what"]
)
CIRCUIT_OPENINGS = Counter(
    "photofeed_circuit_openings_total",
    "Times that a process left a store alone because it did not answer.",
    ["store"],
)
CALLS_REFUSED = Counter(
    "photofeed_calls_refused_total",
    "Calls to a store that were refused unsent, because of its open circuit or for want of a turn.",
    ["store", "why"],
)
CACHE_EMPTIED = Counter(
    "photofeed_cache_emptied_total", "Times that a cache with old data was emptied.", ["why"]
)
BODIES_UNREADABLE = Counter(
    "photofeed_bodies_unreadable_total",
    "Bodies in the cache that could not be decoded, by reason.",
    ["why"],
)
TOKENS_REFUSED = Counter(
    "photofeed_tokens_refused_total",
    "Requests whose token was not accepted, by reason: forged, session or old.",
    ["why"],
)
TOKENS_OLD = Counter(
    "photofeed_tokens_old_total", "Requests with a token of older versions, which has no MAC."
)
PUBLISH_TO_VISIBLE = Histogram(
    "photofeed_publish_to_visible_seconds",
    "Seconds from a post's id to its last follower's timeline, by the audience's size.",
    ["audience"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 90, 300, 900),
)
JOBS = Counter("photofeed_jobs_total", "Jobs by kind and outcome.", ["kind", "outcome"])
JOBS_REFUSED = Counter(
    "photofeed_jobs_refused_total", "RQ jobs that are not ours: dropped unread.", ["reason"]
)
JOB_SECONDS = Histogram(
    "photofeed_job_seconds",
    "Seconds that a job ran.",
    ["kind"],
    buckets=(0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60),
)
TIMELINE_PUSHES = Counter(
    "photofeed_timeline_pushes_total",
    "Users to whose timelines, if any, a post was pushed.",
    ["audience"],
)
TIMELINE_PUSH_SECONDS = Counter(
    "photofeed_timeline_push_seconds_total",
    "Seconds of pushing, without the reads of followers.",
    ["audience"],
)
TIMELINE_REBUILDS = Counter(
    "photofeed_timeline_rebuilds_total",
    "Rebuilds of timelines from the graph, by outcome.",
    ["outcome"],
)
TIMELINE_READS = Counter(
    "photofeed_timeline_reads_total", "Feed pages, by the source that proved them.", ["source"]
)
GRAPH_PAGES_REFUSED = Counter(
    "photofeed_graph_pages_refused_total",
    "Pages that were not read from the graph because of what their user reads, by reason.",
    ["reason"],
)
FRONT_PASSED_ON = Counter(
    "photofeed_front_passed_on_total",
    "Feed requests that the fast feed passed on to the view.",
)
AUTHOR_PUSHES_MISSED = Counter(
    "photofeed_author_pushes_missed_total",
    "Posts that were not pushed into their author's timeline at publishing.",
)
COPY_READS = Counter(
    "photofeed_copy_reads_total", "Bodies looked up in a process's copies, by result.", ["result"]
)
COPY_DROPS = Counter(
    "photofeed_copy_drops_total", "Changes that a process applied to its copies.", ["subject"]
)
COPY_FLUSHES = Counter(
    "photofeed_copy_flushes_total", "Times that a process dropped all its copies."
)
COPY_BYTES = Gauge(
    "photofeed_copy_bytes", "Bytes of the copies of all processes.", multiprocess_mode="livesum"
)
SWEEPER_RINGS = Counter(
    "photofeed_sweeper_rings_total", "Shards for which the sweeper enqueued a job.", ["queue"]
)
SWEPT = Counter("photofeed_swept_total", "Expired items that the sweeper cleared.", ["what"])
NOTICES = Counter(
    "photofeed_notices_total",
    "Push messages by outcome and push service.",
    ["outcome", "service"],
)
NOTICES_DROPPED = Counter(
    "photofeed_notices_dropped_total",
    "Users who got no notice when one was due, by reason.",
    ["reason"],
)
NOTICE_LAG_SECONDS = Histogram(
    "photofeed_notice_lag_seconds",
    "From the time when a notice was due until it was sent.",
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
)
SUBSCRIBERS = Gauge(
    "photofeed_notice_subscribers",
    "Users with a push subscription whom this notifier watches.",
    multiprocess_mode="livesum",
)
WALK_SECONDS = Gauge(
    "photofeed_notice_walk_seconds",
    "Time of the notifier's last walk over all of its subscribers.",
    multiprocess_mode="livemax",
)
PUSH_CIRCUITS_OPEN = Gauge(
    "photofeed_push_circuits_open",
    "Push services (origins) to which messages are held back.",
    ["service"],
    multiprocess_mode="livesum",
)
LIVE_STREAMS = Gauge(
    "photofeed_live_streams", "Live streams that are open.", multiprocess_mode="livesum"
)
LIVE_EVENTS = Counter("photofeed_live_events_total", "Events sent to live streams.", ["event"])
LIVE_ENDED = Counter("photofeed_live_ended_total", "Live streams ended, by reason.", ["reason"])
LIVE_COUNTS = Counter(
    "photofeed_live_counts_total", "Unread counts of events, by their source.", ["source"]
)
LIVE_ROUND_SECONDS = Histogram(
    "photofeed_live_round_seconds",
    "Seconds in which a process looks once for news of all its streams.",
    buckets=(0.25, 0.5, 1, 1.5, 2, 3, 5, 10),
)
SECURITY_EVENTS = Counter(
    "photofeed_security_events_total",
    "Sign-ins, failures and other events that concern security, by event.",
    ["event"],
)
