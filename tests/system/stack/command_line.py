"""`python -m stack` on a folder of its own, as make runs it."""

import os
import subprocess
import sys
from pathlib import Path

from stack import env_file, ports
from stack.settings import PORT_VARIABLES
from stack.supervision import records
from stack.supervision.records import record_of
from tests.support.folders import TESTS, free_folder

ROOT = Path(__file__).resolve().parents[3]
OWNER = "owner"
"""The name of the record of the test run that a folder belongs to."""
WORKERS = {
    *("photos", "fanout", "fanout-large", "timelines", "removal", "exports"),
    *("sweeper", "notifier"),
}
PARTS = {"api", "admin", "queue", "cache", *WORKERS}
"""The parts of a stack whose Neo4j and S3 are external."""


class CommandLine:
    """The commands of a stack whose stores are local, except those in `external_env`."""

    def __init__(self, kind: str, external_env: dict[str, str]) -> None:
        stop_orphans(kind)
        self.folder = folder = free_folder(kind)
        record_of(OWNER, os.getpid()).write(folder)
        chosen = ports.choose(
            PORT_VARIABLES, file=folder / "requested", defaults=None, requested=None, report=print
        )
        external = {
            name: value
            for name, value in external_env.items()
            if name.startswith(("NEO4J_", "S3_", "AWS_"))
        }
        inherited = {name: value for name, value in os.environ.items() if "REDIS" not in name}
        requested = {PORT_VARIABLES[name]: str(port) for name, port in chosen.items()}
        own = {"STACK_FOLDER": str(folder), "API_WORKERS": "1"}
        self.env = inherited | external | requested | own

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "stack", *words],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str) -> tuple[int, str]:
        """The exit status and the output."""
        command = self.start(*words)
        output, _ = command.communicate(timeout=150)
        return command.returncode, output

    def pids(self) -> dict[str, int]:
        return {record.name: record.pid for record in records.read_all(self.folder / "run")}

    def is_ready(self) -> bool:
        return env_file.path_in(self.folder).exists()


def stop_orphans(kind: str) -> None:
    """Stops the stacks of test runs that were killed: they hold their folders' locks."""
    for folder in TESTS.glob(f"{kind}-*"):
        owner = records.read(folder, OWNER)
        if owner and not owner.alive():
            subprocess.run(
                [sys.executable, "-m", "stack", "down"],
                cwd=ROOT,
                env=os.environ | {"STACK_FOLDER": str(folder)},
                timeout=200,
                check=False,
            )
