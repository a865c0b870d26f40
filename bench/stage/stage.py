"""The running product on a town's graph: real stores, lists and bodies filled, our own processes.

Limits, metrics and logs are on. Limits are scaled so that none bites: each request is still
counted. The graph is a copy, so that no run begins with what another has written.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from api.app import ApiSettings
from api.services import sessions
from bench.rows.row import Sizes
from bench.stage import fill, graphs
from bench.stage.town import Town
from graph import Graph, schema
from observing import logs
from stack import LocalStack, StackSettings
from stack.settings import ROOT
from stack.supervision.launcher import lock_folder, stop_orphans
from storage import Storage, StorageSettings

STAGES = ROOT / ".local" / "bench" / "stages"

LIMITS_SCALE = "1000000"
"""1,200,000,000 requests a minute and user: counted, and never refused."""
CACHE_MEMORY = "6gb"
QUEUE_MEMORY = "512mb"

QUICK_USERS, USERS = 400, int(os.environ.get("BENCH_USERS", "100000"))
"""Of the town on which all rows but those of growth stand. BENCH_USERS=1000000: of a large one."""
LARGE = 1_000_000
"""Users from which on the rows of the largest audience say something."""

SIGN_INS = 4
"""Sessions made at once."""

WORKERS = ("fanout", "fanout-large", "timelines", "removal", "sweeper")
"""Of ours, those that what is measured rings."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """Stores with a town in them. `published` are posts made since, by the author's index."""

    town: Town
    stack: LocalStack
    graph: Graph
    storage: Storage
    say: Callable[[str], None] = print
    published: dict[int, list[int]] = field(default_factory=dict)
    _tokens: dict[int, str] = field(default_factory=dict)
    _ours: "Ours | None" = None

    @property
    def env(self) -> dict[str, str]:
        """What a process of ours is told about the stores."""
        return self.stack.env

    def feed(self, index: int) -> list[int]:
        """All that a user's feed should hold now, newest first: the model."""
        ids = self.town.feed(index)
        if self.published:
            for author in (index, *self.town.followees(index)):
                ids += self.published.get(author, [])
            ids.sort(reverse=True)
        return ids

    def note(self, author: int, post_ids: Iterable[int]) -> None:
        """Posts that an author has published since."""
        self.published.setdefault(author, []).extend(post_ids)

    def tokens(self, indices: Sequence[int]) -> list[str]:
        """A session's token for each user, made and checked as by signing in."""
        missing = [index for index in dict.fromkeys(indices) if index not in self._tokens]
        with ThreadPoolExecutor(SIGN_INS) as pool:
            self._tokens.update(zip(missing, pool.map(self._token, missing), strict=True))
        return [self._tokens[index] for index in indices]

    def _token(self, index: int) -> str:
        begun = sessions.create(self.graph, self.town.user_id(index), days=30)
        text = str(begun.token)
        sessions.authenticate(self.graph, self.storage, text)  # leaves a copy in the cache
        return text

    def ours(self, *names: str, api_workers: int = 1) -> "Ours":
        """Our own processes of these names, running on these stores, and no others.

        Those that run already stay. They stop with the stage.
        """
        wanted = (names, api_workers)
        if self._ours and (self._ours.names, self._ours.api_workers) != wanted:
            self.stop_ours()
        if self._ours is None:
            self._ours = Ours(names, api_workers, self)
            self._ours.start()
        return self._ours

    def stop_ours(self) -> None:
        """No process of ours runs any more."""
        if self._ours:
            self._ours.stop()
            self._ours = None

    def cache_pid(self) -> int:
        """The cache server's process."""
        return self.stack.process("cache").pid or 0

    def cache_seconds(self) -> float:
        """CPU time that the cache has used so far."""
        used = self.storage.cache.client.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


class Ours:
    """API and workers, started by the stack's own supervisor on stores that stand already."""

    def __init__(self, names: Sequence[str], api_workers: int, stage: Stage) -> None:
        self.names = tuple(names)
        self.api_workers = api_workers
        folder = stage.stack.folder / "ours"
        self._stack = LocalStack(
            _external(stage.env, folder, api_workers), report=lambda _text: None, max_crashes=3
        )
        self._watcher = threading.Thread(target=self._stack.supervisor.watch, daemon=True)

    def start(self) -> None:
        """Starts them and returns when they answer. Raises StackError."""
        self._stack.claim()
        try:
            self._stack.start_stores()
            self._stack.start_processes(self.names)
        except BaseException:
            self._stack.stop()
            raise
        self._watcher.start()

    def stop(self) -> None:
        """Stops them."""
        self._stack.stopping.set()
        if self._watcher.is_alive():
            self._watcher.join(timeout=30)
        self._stack.stop()

    @property
    def env(self) -> dict[str, str]:
        """What they have been told."""
        return self._stack.env

    @property
    def url(self) -> str:
        """Where the API listens."""
        return self._stack.env["API_URL"]

    def pids(self, name: str) -> list[int]:
        """The pids of one of them and of what it has started."""
        parent = psutil.Process(self._stack.process(name).pid)
        return [parent.pid, *(child.pid for child in parent.children(recursive=True))]


def town_of(sizes: Sizes) -> Town:
    """The town on which the rows of a run stand; another one where growth has put one there."""
    usual = Town(QUICK_USERS if sizes.quick else USERS, sizes.seed)
    return sizes.shared.once("town", lambda: nullcontext(usual))


def stage_of(sizes: Sizes) -> Stage:
    """The run's stage of its town, opened by the first row that asks."""
    town = town_of(sizes)
    return sizes.shared.once(("stage", town), lambda: opened(town, sizes))


@contextmanager
def opened(town: Town, sizes: Sizes) -> Iterator[Stage]:
    """A stage of its own; nothing of it is left afterwards but the kept graph."""
    kept = graphs.kept(town, sizes.say)
    folder = STAGES / f"{town.users}-{town.seed}"
    _emptied(folder)
    sizes.say("copies the graph")
    shutil.copytree(kept / "neo4j" / "data", folder / "neo4j" / "data")
    shutil.copy2(kept / "secrets.env", folder / "secrets.env")
    settings = graphs.settings(
        folder,
        town.users,
        cache_memory=CACHE_MEMORY,
        queue_memory=QUEUE_MEMORY,
        limits_scale=LIMITS_SCALE,
    )
    with ExitStack() as closing:
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
        stack = closing.enter_context(LocalStack(settings, report=sizes.say))
        graph = closing.enter_context(Graph.open(graphs.graph_settings(stack.env)))
        storage = Storage.open(storage_settings(stack.env))
        closing.callback(storage.close)
        stage = Stage(town=town, stack=stack, graph=graph, storage=storage, say=sizes.say)
        closing.callback(stage.stop_ours)
        _prepared(stage, sizes)
        yield stage


def storage_settings(env: dict[str, str]) -> StorageSettings:
    """Where Redis and S3 of a stack are, with the product's own cap and slack."""
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


def api_settings(env: dict[str, str]) -> ApiSettings:
    """What the API of a stage is told."""
    return ApiSettings(cursor_secret=env["CURSOR_SECRET"], limits_scale=float(env["LIMITS_SCALE"]))


def _emptied(folder: Path) -> None:
    """What an earlier run was killed with ends here."""
    for one in (folder / "ours", folder):
        if one.exists():
            with lock_folder(one):
                stop_orphans(one, print)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _prepared(stage: Stage, sizes: Sizes) -> None:
    logs.configure("bench", level="error")  # what the product does in this process, quietly
    stage.storage.cache.usable()  # or what is filled first would be emptied as of no generation
    stage.storage.photos.prepare_bucket()
    schema.apply(stage.graph.connection)
    schema.warm(stage.graph.connection)
    fill.lists(stage.storage, stage.town, range(stage.town.users), sizes.say)
    fill.bodies(stage.storage, stage.town, range(stage.town.users), sizes.say)


def _external(env: dict[str, str], folder: Path, api_workers: int) -> StackSettings:
    """The stack's settings where all stores stand already."""
    return replace(
        StackSettings(folder=folder),
        neo4j_uri=env["NEO4J_URI"],
        neo4j_user=env["NEO4J_USER"],
        neo4j_password=env["NEO4J_PASSWORD"],
        neo4j_database=env["NEO4J_DATABASE"],
        queue_redis_url=env["QUEUE_REDIS_URL"],
        cache_redis_url=env["CACHE_REDIS_URL"],
        s3_endpoint_url=env["S3_ENDPOINT_URL"],
        s3_bucket=env["S3_BUCKET"],
        s3_access_key=env["AWS_ACCESS_KEY_ID"],
        s3_secret_key=env["AWS_SECRET_ACCESS_KEY"],
        s3_region=env["AWS_REGION"],
        media_base_url=env["MEDIA_BASE_URL"],
        cursor_secret=env["CURSOR_SECRET"],
        limits_scale=env["LIMITS_SCALE"],
        api_workers=api_workers,
    )


def unpin(pid: int) -> None:
    """Lets every thread of a process run on any core again."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # a thread that has just ended
            os.sched_setaffinity(int(task.name), os.sched_getaffinity(os.getpid()))


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time of processes so far: to be subtracted."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total
