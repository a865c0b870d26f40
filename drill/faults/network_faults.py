"""Faults of the network: the proxies between processes and stores slow, cut or drop traffic."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drill.faults.fault import Apply, Facts
from drill.stage.programs import APIS, NOTIFIERS
from drill.stage.stage import DrillStage
from drill.support.proxy import Proxy

FANOUTS = ("fanout", "fanout-2", "fanout-large")
USERS = {
    "neo4j": (*APIS, *FANOUTS, *NOTIFIERS, "timelines", "removal", "sweeper"),
    "queue": (*APIS, *FANOUTS, *NOTIFIERS, "timelines", "removal", "sweeper"),
    "cache": (*APIS, *APIS, *FANOUTS, *NOTIFIERS, "timelines", "removal"),
    "s3": (*APIS, "removal", "photos"),
}
"""The processes that use each store under this load. One is drawn; named twice, twice as often."""

LATENCIES_SECONDS = (0.05, 0.2, 0.5)
RATES_BYTES_A_SECOND = (2_000, 20_000)
CUTS = 3
MAX_BYTES_BEFORE_CUT = 400

Disturbance = Callable[[Proxy, random.Random], object]


def disturb(store: str, disturbance: Disturbance, *, everybody: bool = False) -> Apply:
    """Apply the disturbance between the store and one process, or all processes."""

    @contextmanager
    def apply(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
        users = stage.existing(USERS[store])
        names = stage.process_names if everybody else [rng.choice(users)]
        proxies = [stage.proxies[name, store] for name in names]
        refused_before = sum(proxy.refused for proxy in proxies)
        for proxy in proxies:
            disturbance(proxy, rng)
        facts: Facts = {"processes": names, "store": store}
        try:
            yield facts
        finally:
            for proxy in proxies:
                proxy.resume()
            facts["refused"] = sum(proxy.refused for proxy in proxies) - refused_before

    return apply


@contextmanager
def isolate(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
    """No store answers one process, and none closes its connections."""
    name = rng.choice(stage.process_names)
    proxies = [proxy for (process, _), proxy in stage.proxies.items() if process == name]
    for proxy in proxies:
        proxy.swallow()
    try:
        yield {"process": name}
    finally:
        for proxy in proxies:
            proxy.resume()


def slow(proxy: Proxy, rng: random.Random) -> None:
    """Delay every chunk."""
    proxy.slow(rng.choice(LATENCIES_SECONDS))


def narrow(proxy: Proxy, rng: random.Random) -> None:
    """Limit the bytes per second."""
    proxy.narrow(rng.choice(RATES_BYTES_A_SECOND))


def cut(proxy: Proxy, _rng: random.Random) -> None:
    """Reset every connection."""
    proxy.cut()


def cut_in_the_middle(proxy: Proxy, rng: random.Random) -> None:
    """Reset connections in the middle of a request or an answer."""
    for _ in range(CUTS):
        count = rng.randint(1, MAX_BYTES_BEFORE_CUT)
        proxy.cut_after(count, side=rng.choice(("request", "answer")))


def swallow(proxy: Proxy, _rng: random.Random) -> None:
    """Keep connections open and forward nothing."""
    proxy.swallow()


def take_down(proxy: Proxy, _rng: random.Random) -> None:
    """Reset every connection and refuse new ones."""
    proxy.down()
