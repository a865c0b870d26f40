"""The catalogue of faults: every fault of the drill by its name in docs/promises.md."""

from collections.abc import Iterator
from http import HTTPStatus
from signal import SIGKILL, SIGTERM

from drill.faults import clock_faults, network_faults, push_faults, redis_damage
from drill.faults.clock_faults import TOLERATED_OFFSETS_SECONDS, WRONG_OFFSETS_SECONDS, move_clock
from drill.faults.fault import Fault
from drill.faults.network_faults import FANOUTS, disturb
from drill.faults.process_faults import freeze_one, kill_children, signal_one
from drill.stage.programs import APIS, NOTIFIERS
from drill.support.push_service import CLOSE, HANG, Behaviour

PROCESS_CASES = {"timelines": (7,), "removal": (7,), "photos": (38,)}
STORE_CASES = {"neo4j": (3, 32), "queue": (17,), "cache": (19,), "s3": (38,)}
"""The cases of a killed worker, and of a store with network faults."""
EMPTY_CACHE = {"flush-cache", "evict-cache-keys"}
"""Those of the instant damages to Redis that empty the cache, or a part of it."""


def _kills() -> Iterator[Fault]:
    kill, end = SIGKILL, SIGTERM
    yield Fault(name="kill-api", cases=(1, 2), seconds=3, apply=signal_one(kill, APIS))
    yield Fault(
        name="kill-api-parent",
        cases=(1, 2),
        seconds=3,
        apply=signal_one(kill, APIS, children=False),
    )
    yield Fault(name="kill-api-child", cases=(1, 2), seconds=2, apply=kill_children(APIS))
    yield Fault(name="end-api", cases=(6,), seconds=4, apply=signal_one(end, APIS, children=False))
    yield Fault(name="kill-fanout", cases=(7,), seconds=2, apply=signal_one(kill, FANOUTS))
    yield Fault(
        name="end-worker",
        cases=(6,),
        seconds=3,
        apply=signal_one(end, (*FANOUTS, "timelines", "removal", *NOTIFIERS)),
    )
    for process, cases in PROCESS_CASES.items():
        yield Fault(
            name=f"kill-{process}", cases=cases, seconds=2, apply=signal_one(kill, (process,))
        )
    yield Fault(name="kill-sweeper", cases=(7,), seconds=2, apply=signal_one(kill, ("sweeper",)))
    yield Fault(name="kill-notifier", cases=(40,), seconds=2, apply=signal_one(kill, NOTIFIERS))
    yield Fault(name="kill-queue", cases=(16,), seconds=3, apply=signal_one(kill, ("queue",)))
    yield Fault(
        name="kill-cache",
        cases=(18,),
        seconds=3,
        empties_cache=True,
        apply=signal_one(kill, ("cache",)),
    )
    yield Fault(name="kill-s3", cases=(38,), seconds=4, apply=signal_one(kill, ("s3",)))
    yield Fault(
        name="kill-neo4j", cases=(32,), seconds=16, heavy=True, apply=signal_one(kill, ("neo4j",))
    )


def _freezes() -> Iterator[Fault]:
    yield Fault(name="stop-api", cases=(5, 22), seconds=5, apply=freeze_one(APIS))
    yield Fault(name="stop-fanout", cases=(8,), seconds=5, apply=freeze_one(FANOUTS))
    yield Fault(name="stop-past-the-lease", cases=(8, 21), seconds=50, apply=freeze_one(FANOUTS))
    yield Fault(name="stop-timelines", cases=(8,), seconds=5, apply=freeze_one(("timelines",)))
    yield Fault(name="stop-removal", cases=(8,), seconds=5, apply=freeze_one(("removal",)))
    yield Fault(name="stop-sweeper", cases=(14,), seconds=8, apply=freeze_one(("sweeper",)))
    yield Fault(name="stop-notifier", cases=(40,), seconds=18, apply=freeze_one(NOTIFIERS))
    yield Fault(name="stop-queue", cases=(17,), seconds=5, apply=freeze_one(("queue",)))
    yield Fault(name="stop-cache", cases=(19,), seconds=5, apply=freeze_one(("cache",)))
    yield Fault(
        name="stop-neo4j", cases=(32,), seconds=12, heavy=True, apply=freeze_one(("neo4j",))
    )


def _redis_damage() -> Iterator[Fault]:
    for name, cases, act in (
        ("flush-queue", (16,), redis_damage.flush_queue),
        ("tear-aof", (16,), redis_damage.tear_aof),
        ("flush-cache", (18,), redis_damage.flush_cache),
        ("evict-cache-keys", (24,), redis_damage.evict_cache_keys),
        ("delete-job-hashes", (11,), redis_damage.delete_job_hashes),
        ("delete-queue-entries", (11,), redis_damage.delete_queue_entries),
        ("strand-jobs", (11,), redis_damage.strand_jobs),
        ("triple-jobs", (10,), redis_damage.triple_jobs),
        ("ring-stale-epochs", (10,), redis_damage.enqueue_stale_epochs),
    ):
        yield Fault(
            name=name,
            cases=cases,
            seconds=2,
            empties_cache=name in EMPTY_CACHE,
            apply=redis_damage.instant(act),
        )
    yield Fault(name="queue-full", cases=(17,), seconds=5, apply=redis_damage.fill_queue)
    yield Fault(
        name="cache-from-old-snapshot",
        cases=(30,),
        seconds=4,
        empties_cache=True,
        apply=redis_damage.restore_old_snapshot,
    )


def _network_faults() -> Iterator[Fault]:
    for store, cases in STORE_CASES.items():
        for name, seconds, disturbance in (
            (f"slow-{store}", 5, network_faults.slow),
            (f"cut-{store}", 1, network_faults.cut),
            (f"cut-{store}-in-the-middle", 4, network_faults.cut_in_the_middle),
            (f"narrow-{store}", 5, network_faults.narrow),
            (f"half-open-{store}", 5, network_faults.swallow),
        ):
            yield Fault(name=name, cases=cases, seconds=seconds, apply=disturb(store, disturbance))
        yield Fault(
            name=f"{store}-down",
            cases=cases,
            seconds=6,
            heavy=store == "neo4j",
            apply=disturb(store, network_faults.take_down, everybody=True),
        )
    yield Fault(
        name="isolate-a-process", cases=(8, 14, 22), seconds=8, apply=network_faults.isolate
    )


def _clock_faults() -> Iterator[Fault]:
    yield Fault(
        name="step-a-clock",
        cases=(43,),
        seconds=5,
        apply=move_clock(APIS, WRONG_OFFSETS_SECONDS),
    )
    yield Fault(
        name="clock-within-its-bound",
        cases=(43,),
        seconds=8,
        apply=move_clock(None, TOLERATED_OFFSETS_SECONDS),
    )
    yield Fault(
        name="start-with-a-wrong-clock",
        cases=(43,),
        seconds=14,
        apply=clock_faults.start_with_wrong_clock,
    )


def _push_faults() -> Iterator[Fault]:
    refusals = [
        Behaviour(status=status, headers={"Retry-After": "3"})
        for status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
    ]
    silence = [Behaviour(status=HANG), Behaviour(status=CLOSE)]
    for name, answers in (("push-refuses", refusals), ("push-is-silent", silence)):
        yield Fault(name=name, cases=(39,), seconds=6, apply=push_faults.answer(answers))


CATALOGUE: tuple[Fault, ...] = (
    *_kills(),
    *_freezes(),
    *_redis_damage(),
    *_network_faults(),
    *_clock_faults(),
    *_push_faults(),
)
"""In a fixed order: a plan draws from it by the seed."""
BY_NAME = {fault.name: fault for fault in CATALOGUE}
