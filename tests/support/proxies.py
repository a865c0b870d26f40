"""Proxies between one process and its stores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from drill.support.proxy import Hold, Proxy, Side, proxied
from graph.queries import LOADED

_VARIABLES = {
    "graph": "NEO4J_URI",
    "queue": "QUEUE_REDIS_URL",
    "cache": "CACHE_REDIS_URL",
    "s3": "S3_ENDPOINT_URL",
}


@dataclass(frozen=True, slots=True)
class Proxies:
    """A proxy before each store. The connections of the process can be held, cut and slowed."""

    graph: Proxy
    queue: Proxy
    cache: Proxy
    s3: Proxy

    @classmethod
    def open(cls, env: Mapping[str, str]) -> tuple[Self, dict[str, str]]:
        """Proxies before the stores of this environment, and the environment of the process."""
        opened = {name: proxied(env[variable]) for name, variable in _VARIABLES.items()}
        urls = {_VARIABLES[name]: url for name, (_, url) in opened.items()}
        return cls(**{name: proxy for name, (proxy, _) in opened.items()}), {**env, **urls}

    def hold_query(self, name: str, *, side: Side = "request") -> Hold:
        """Hold this statement before the graph receives it; side "answer": hold its rows."""
        return self.graph.hold(LOADED[name].text.encode(), side=side)

    def close(self) -> None:
        """End every connection before any hold is released: held requests reach no store."""
        proxies = (self.graph, self.queue, self.cache, self.s3)
        for proxy in proxies:
            proxy.cut()
        for proxy in proxies:
            proxy.close()
