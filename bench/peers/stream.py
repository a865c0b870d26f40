"""stream-framework as a process: each line of JSON names a method and its arguments.

Runs in its own environment. Version 1.4.0 has a parameter named `async`, a keyword since Python
3.7. The loader below renames it when the module is read, and changes nothing else.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import json
import random
import re
import sys
import time
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Any

RENAMED = "stream_framework.feed_managers.base"
CHUNK = 100
"""Followers a task: the default of stream-framework."""
MAX_LENGTH = 400


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002  (as its class calls it)
        source = re.sub(rb"\basync\b", b"asynchronous", self.get_data(self.path))
        return compile(source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != RENAMED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            return None
        return importlib.util.spec_from_file_location(
            fullname, spec.origin, loader=_Loader(fullname, spec.origin)
        )


sys.meta_path.insert(0, _Finder())

from stream_framework import settings  # noqa: E402
from stream_framework.activity import Activity  # noqa: E402
from stream_framework.feed_managers.base import Manager, add_operation  # noqa: E402
from stream_framework.feeds.redis import RedisFeed  # noqa: E402
from stream_framework.verbs.base import Add  # noqa: E402


class Feed(RedisFeed):  # type: ignore[misc]
    """A home timeline."""

    key_format = "sf:%(user_id)s"
    max_length = MAX_LENGTH


class Site:
    """The methods: they fill the feeds that the bench copies, and do the work that is measured."""

    def __init__(self) -> None:
        self._manager = Manager()
        self._object = 0

    def fill(self, *, port: int, password: str, feeds: int, posts: int, text: str) -> Any:
        """Fill feeds 1 to `feeds`: feed n has the newest MAX_LENGTH + n - 1 of `posts` posts."""
        settings.STREAM_REDIS_CONFIG["default"].update(port=port, password=password)
        activities = [self._activity(text) for _ in range(posts)]
        Feed.insert_activities(activities)
        for number in range(1, feeds + 1):
            Feed(number).add_many(activities[-(MAX_LENGTH + number - 1) :], trim=False)
        return {"ids": [activity.serialization_id for activity in activities]}

    def fanout(self, *, users: Sequence[int], text: str) -> Any:
        """Push one post to all users, as its tasks do, without the queue between them."""
        activity = self._activity(text)
        Feed.insert_activity(activity)
        cpu, began = time.process_time(), time.perf_counter()
        for start in range(0, len(users), CHUNK):
            chunk, post = users[start : start + CHUNK], {"activities": [activity], "trim": True}
            self._manager.fanout(chunk, Feed, add_operation, post)
        seconds = time.perf_counter() - began
        cpu = time.process_time() - cpu
        return {"seconds": seconds, "cpu": cpu, "id": activity.serialization_id}

    def pages(self, *, users: Sequence[int], seconds: float, seed: int) -> Any:
        """Read first pages of random users for some seconds."""
        generator = random.Random(seed)
        count, cpu, began = 0, time.process_time(), time.perf_counter()
        while time.perf_counter() - began < seconds:
            Feed(users[generator.randrange(len(users))])[:20]
            count += 1
        elapsed = time.perf_counter() - began
        return {"pages": count, "seconds": elapsed, "cpu": time.process_time() - cpu}

    def all_pages(self, *, users: Sequence[int]) -> Any:
        """Every user's first page: the posts' ids, and the lengths of their texts."""
        pages = []
        for user in users:
            posts = Feed(user)[:20]
            texts = [len(post.extra_context["text"]) for post in posts]
            pages.append([[post.serialization_id for post in posts], texts])
        return {"pages": pages}

    def _activity(self, text: str) -> Activity:
        """A new post. Within a millisecond its id rises with the object's number."""
        self._object += 1
        return Activity(7, Add, self._object, extra_context={"text": text})


def main() -> None:
    """Answers requests until standard input ends."""
    site = Site()
    for line in sys.stdin:
        arguments = json.loads(line)
        method = getattr(site, arguments.pop("method"))
        print(json.dumps(method(**arguments)), flush=True)


if __name__ == "__main__":
    main()
