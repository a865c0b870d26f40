"""`python -m drill.alerts`: troubles, one after the other, and which alerts fire in each.

A real Prometheus evaluates deploy/alerts.yml, with all times a tenth. The exit status is 1 if an
alert that belongs to a trouble is silent, or if another one fires; 2 if the stage cannot start.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import requests

from drill.alerts.phases import PHASES, Phase
from drill.alerts.prometheus import Prometheus
from drill.alerts.troubles import Scene
from drill.history import History
from drill.load.population import populate
from drill.load.shared_state import SharedState
from drill.load.soak_lanes import SoakLoad
from drill.notice_times import NOTICE_ENV
from drill.stage.stage import DrillStage
from stack import StackError, ports
from stack.progress import Progress
from stack.settings import ROOT

FOLDER = ROOT / ".local" / "test" / "drill"
FIRED_WRONGLY, NOT_STARTED = 1, 2
POSTS, PHOTOS, FOLLOWS = 4.0, 1.0, 0.1
"""Actions a second of the load."""
USERS = 24
QUIET_SECONDS = 480.0
"""How long after a trouble all alerts must have stopped. One looks back for six minutes."""
POLL_SECONDS = 1.0


def main() -> int:
    """Return 0 if each trouble has its alerts and no others."""
    arguments = _parser().parse_args()
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    print(f"SEED={seed}", flush=True)
    phases = [phase for phase in PHASES if phase.name in (arguments.phase or [phase.name])]
    try:
        faults = run(arguments.folder, phases, seed)
    except (StackError, OSError) as error:
        print(f"The stage could not start: {error}", file=sys.stderr)
        return NOT_STARTED
    print("\n".join(faults) if faults else "every alert fires where it should, and only there")
    return FIRED_WRONGLY if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m drill.alerts", description=__doc__)
    parser.add_argument(
        "--phase", action="append", choices=[phase.name for phase in PHASES], help="one of them"
    )
    parser.add_argument("--seed", type=int, help="drawn and printed if it is not given")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    return parser


def run(folder: Path, phases: Sequence[Phase], seed: int) -> list[str]:
    """Run the phases under load; returns what is wrong, a sentence each.

    Raises StackError if the stage cannot start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = ports.choose(
        ["alerts-admin", "prometheus"],
        file=folder / "alerts-ports.json",
        defaults=None,
        requested=None,
        report=print,
    )
    stage = DrillStage(folder, extra_env=NOTICE_ENV, admin_port=numbers["alerts-admin"])
    with stage:
        prometheus = Prometheus(
            folder / "prometheus",
            port=numbers["prometheus"],
            admin_url=stage.admin_url,
            admin_password=stage.env["ADMIN_PASSWORD"],
        )
        stage.start_beside([prometheus])
        state = SharedState(History(), stage.api_urls, stage.push, seed)
        populate(state, stage.graph, USERS, photos=0)
        load = SoakLoad(state, stage.graph, posts=POSTS, photos=PHOTOS, follows=FOLLOWS)
        load.start()
        try:
            return list(_run_phases(Scene(stage=stage, state=state), prometheus, phases))
        finally:
            load.stop()


def _run_phases(scene: Scene, prometheus: Prometheus, phases: Sequence[Phase]) -> Iterator[str]:
    with Progress("alerts", len(phases), unit="phases") as progress:
        for phase in phases:
            progress.describe(phase.name)
            watch = Watch(prometheus)
            with phase.begin(scene):
                watch.wait_for(phase)
            lasted = watch.seconds()
            is_quiet = watch.wait_for_quiet()
            progress.print(f"{phase.name} ({lasted:.0f} s): {watch}")
            yield from phase.faults(watch.fired)
            if not is_quiet:
                yield f"{phase.name}: {', '.join(sorted(watch.firing))} did not stop"
            progress.advance()


class Watch:
    """The alerts that fire during one phase, and when each fired first."""

    def __init__(self, prometheus: Prometheus) -> None:
        self.firing: set[str] = set()
        self.fired: dict[str, float] = {}
        self._prometheus = prometheus
        self._began = time.monotonic()

    def __str__(self) -> str:
        """A line of the report."""
        times = sorted(self.fired.items(), key=lambda item: item[1])
        return ", ".join(f"{name} after {seconds:.0f} s" for name, seconds in times) or "no alert"

    def seconds(self) -> float:
        """The time since the phase began."""
        return time.monotonic() - self._began

    def wait_for(self, phase: Phase) -> None:
        """Look until all that the phase expects has fired, or its time is over."""
        self._wait(phase.seconds, lambda: phase.has_all(self.fired))

    def wait_for_quiet(self) -> bool:
        """Look until no alert fires; False if one still does after QUIET_SECONDS."""
        return self._wait(QUIET_SECONDS, lambda: not self.firing)

    def _wait(self, seconds: float, is_over: Callable[[], bool]) -> bool:
        """Look every POLL_SECONDS until it is over; False if it is not within the time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._look()
            if is_over():
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _look(self) -> None:
        with suppress(requests.RequestException):
            self.firing = self._prometheus.firing()
        for name in self.firing:
            self.fired.setdefault(name, self.seconds())


if __name__ == "__main__":
    sys.exit(main())
