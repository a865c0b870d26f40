"""The running product on a town's graph: real stores, lists and bodies filled, our own processes.

Limits, metrics and logs are on. Limits are scaled up so that each request is counted and none is
refused. The graph is a copy, so no run starts with the writes of another.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from api.services import sessions
from api.services.tokens import TokenKeys
from api.settings import split_keys
from bench.stage import graphs
from bench.stage.fill import fill_bodies, fill_lists, list_commands
from bench.stage.folders import FOLDER
from bench.stage.processes import Processes
from bench.stage.run_context import RunContext
from bench.stage.town import Town
from graph import Graph, schema
from observing import logs
from stack import LocalStack
from stack.supervision.launcher import lock_folder, stop_orphans
from stack.terminal import Report
from storage import Storage, StorageSettings

STAGES = FOLDER / "stages"

LIMITS_SCALE = "1000000"
"""1,200,000,000 requests a minute and user."""
CACHE_MEMORY = "6gb"
QUEUE_MEMORY = "512mb"

QUICK_USERS, USERS = 400, int(os.environ.get("BENCH_USERS", "100000"))
"""Users of the town of all rows but those of growth. BENCH_USERS=1000000 gives a large town."""
LARGE = 1_000_000
"""Users from which on the rows of the largest audience are run."""

SIGN_INS = 4
"""Sessions created at once."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """The stores of a town, and the model of its feeds."""

    town: Town
    stack: LocalStack
    graph: Graph
    storage: Storage
    report: Report = print
    published: dict[int, list[int]] = field(default_factory=dict)
    """Posts published on the stage, by the author's index."""
    feeds: dict[int, list[int]] = field(default_factory=dict)
    """Feeds of the viewers of crowds (bench/rows/crowds.py), whom the town does not have."""
    crowds: int = 0
    """The number of crowds created."""
    _tokens: dict[int, str] = field(default_factory=dict)
    _processes: Processes | None = None

    @property
    def env(self) -> dict[str, str]:
        """The environment of our processes on these stores."""
        return self.stack.env

    def feed(self, index: int) -> list[int]:
        """The model: the ids that a user's feed should have now, newest first."""
        if index in self.feeds:
            return self.feeds[index]
        ids = self.town.feed(index)
        if self.published:
            for author in (index, *self.town.followees(index)):
                ids += self.published.get(author, [])
            ids.sort(reverse=True)
        return ids

    def note_posts(self, author: int, post_ids: Iterable[int]) -> None:
        """Add posts of an author to the model."""
        self.published.setdefault(author, []).extend(post_ids)

    def write_lists(self, indices: Iterable[int], cap: int) -> None:
        """Write the lists of these users anew from the model, with `cap` posts at most."""
        with self.storage.cache.connection() as connection:
            for index in indices:
                connection.execute(list_commands(self.town.user_id(index), self.feed(index), cap))

    def tokens(self, indices: Sequence[int]) -> list[str]:
        """A session token for each user, created and authenticated as by a sign-in."""
        missing = [index for index in dict.fromkeys(indices) if index not in self._tokens]
        with ThreadPoolExecutor(SIGN_INS) as pool:
            self._tokens.update(zip(missing, pool.map(self._sign_in, missing), strict=True))
        return [self._tokens[index] for index in indices]

    def _sign_in(self, index: int) -> str:
        created = sessions.create(
            self.graph, self.storage, self.town.user_id(index), lifetime=sessions.Lifetime(days=30)
        )
        sessions.authenticate(self.graph, self.storage, created.token)  # leaves a copy
        return TokenKeys(split_keys(self.env["TOKEN_KEYS"])).sign(created.token)

    def processes(
        self, *names: str, api_workers: int = 1, variables: Mapping[str, str] | None = None
    ) -> Processes:
        """Our processes of these names, running on the stores; no others run.

        `variables` are settings of the product. Reuses the running ones if they are the same. They
        stop with the stage.
        """
        wanted = (names, api_workers, variables or {})
        running = self._processes
        if running and (running.names, running.api_workers, running.variables) != wanted:
            self.stop_processes()
        if self._processes is None:
            self.report(f"starting {', '.join(names)}")
            self._processes = Processes(
                names,
                env=self.env,
                folder=self.stack.folder / "ours",
                api_workers=api_workers,
                variables=variables or {},
            )
            self._processes.start()
        return self._processes

    def stop_processes(self) -> None:
        """Stop all our processes on the stage."""
        if self._processes:
            self._processes.stop()
            self._processes = None

    def cache_pid(self) -> int:
        """The cache server's pid."""
        return self.stack.process("cache").pid or 0

    def cache_commands_a_read(self) -> Callable[[], float]:
        """Begin to count; the result gives the commands since then for each read of a socket."""
        begun = self._cache_counts()

        def commands_a_read() -> float:
            commands, reads = self._cache_counts()
            return (commands - begun[0]) / max(1, reads - begun[1])

        return commands_a_read

    def _cache_counts(self) -> tuple[int, int]:
        """Commands and reads of sockets since the cache server's start."""
        stats = self.storage.cache.client.info("stats")
        return int(stats["total_commands_processed"]), int(stats["total_reads_processed"])

    def cache_seconds(self) -> float:
        """The cache server's CPU time since its start."""
        used = self.storage.cache.client.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def town_of(run: RunContext) -> Town:
    """The town of the run. Growth has put another one among its resources."""
    usual = Town(QUICK_USERS if run.quick else USERS, run.seed)
    return run.resources.open_once("town", lambda: nullcontext(usual))


def stage_of(run: RunContext) -> Stage:
    """The stage of the run's town; the first row that needs it opens it."""
    town = town_of(run)
    return run.resources.open_once(("stage", town), lambda: open_stage(town, run.report))


@contextmanager
def open_stage(town: Town, report: Report) -> Iterator[Stage]:
    """A stage on a copy of the town's graph; all but the stored graph is removed afterwards."""
    stored = graphs.town_graph(town, report)
    folder = STAGES / f"{town.users}-{town.seed}"
    _empty_folder(folder)
    report("copying the graph")
    shutil.copytree(stored / "neo4j" / "data", folder / "neo4j" / "data")
    shutil.copy2(stored / "secrets.env", folder / "secrets.env")
    settings = graphs.stack_settings(
        folder,
        town.users,
        cache_memory=CACHE_MEMORY,
        queue_memory=QUEUE_MEMORY,
        limits_scale=LIMITS_SCALE,
    )
    with ExitStack() as closing:
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
        stack = closing.enter_context(LocalStack(settings, report=report))
        graph = closing.enter_context(Graph.open(graphs.graph_settings(stack.env)))
        storage = Storage.open(_storage_settings(stack.env))
        closing.callback(storage.close)
        stage = Stage(town=town, stack=stack, graph=graph, storage=storage, report=report)
        closing.callback(stage.stop_processes)
        _fill(stage)
        yield stage


def _storage_settings(env: dict[str, str]) -> StorageSettings:
    """The settings of a stack's Redis and S3, with the product's own cap and slack."""
    return StorageSettings(
        queue_url=env["QUEUE_REDIS_URL"],
        cache_url=env["CACHE_REDIS_URL"],
        s3_endpoint_url=env["S3_ENDPOINT_URL"],
        s3_bucket=env["S3_BUCKET"],
        s3_access_key=env["AWS_ACCESS_KEY_ID"],
        s3_secret_key=env["AWS_SECRET_ACCESS_KEY"],
        s3_region=env["AWS_REGION"],
        media_base_url=env["MEDIA_BASE_URL"],
    )


def _empty_folder(folder: Path) -> None:
    """Stop the processes of a killed run in this folder, and empty it."""
    for launcher_folder in (folder / "ours", folder):
        if launcher_folder.exists():
            with lock_folder(launcher_folder):
                stop_orphans(launcher_folder, print)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _fill(stage: Stage) -> None:
    logs.configure("bench", level="error")  # of the product's code in this process
    stage.storage.cache.ensure_connection()  # before filling: it gives the cache its generation
    stage.storage.photos.prepare_bucket()
    schema.apply(stage.graph.connection)
    schema.warm(stage.graph.connection)
    users = range(stage.town.users)
    fill_lists(stage.storage, stage.town, users, stage.report)
    fill_bodies(stage.storage, stage.town, users, stage.report, post_ids=stage.town.post_ids)
