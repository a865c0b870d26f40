"""`python -m drill.soak`: an hour of load without faults, in which nothing that is cleared grows.

What is kept for a day is kept for two minutes (drill/stage/short_lives), so an hour clears a month.
Every half minute the soak counts what is cleared, and looks at the memory of the processes. The
exit status is 1 if something is larger in the last quarter than in the second one.
"""

import argparse
import random
import sys
import time
from pathlib import Path

from drill.counters import read_swept
from drill.history import History
from drill.load.population import populate
from drill.load.shared_state import SharedState
from drill.load.soak_lanes import SoakLoad
from drill.notice_times import NOTICE_ENV
from drill.soak_samples import Samples, Trend
from drill.stage.stage import DrillStage
from stack.progress import Progress
from stack.settings import ROOT

FOLDER = ROOT / ".local" / "test" / "drill"
SHORT_LIVES = Path(__file__).parent / "stage" / "short_lives"
SAMPLE_SECONDS = 30.0
MISSION_POSTS = 231.0
"""Posts a second of 20 million a day."""


def main() -> int:
    """Return 0 if nothing grows, else 1."""
    arguments = _parser().parse_args()
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    print(f"SEED={seed}", flush=True)
    env = NOTICE_ENV | {"PYTHONPATH": str(SHORT_LIVES)}
    with DrillStage(arguments.folder, extra_env=env) as stage:
        state = SharedState(History(), stage.api_urls, stage.push, seed)
        populate(state, stage.graph, arguments.users, photos=0)
        load = SoakLoad(state, stage.graph, posts=arguments.posts, photos=arguments.photos)
        samples = Samples(stage)
        began = time.monotonic()
        load.start()
        _sample(samples, round(arguments.minutes * 60))
        load.stop()
        seconds = time.monotonic() - began
        swept = read_swept(stage.env["PROMETHEUS_MULTIPROC_DIR"])
    return _report(samples.trends(), load, swept, seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m drill.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--posts", type=float, default=15.0, help="a second")
    parser.add_argument("--photos", type=float, default=2.0, help="uploads a second")
    parser.add_argument("--users", type=int, default=24)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    return parser


def _sample(samples: Samples, seconds: int) -> None:
    """Take a sample every SAMPLE_SECONDS, for so many seconds."""
    end = time.monotonic() + seconds
    with Progress("soak", seconds, unit="s") as progress:
        while (left := end - time.monotonic()) > 0:
            pause = min(SAMPLE_SECONDS, left)
            time.sleep(pause)
            samples.take()
            progress.describe(f"{samples.latest('events due'):.0f} events due")
            progress.advance(round(pause))


def _report(trends: list[Trend], load: SoakLoad, swept: dict[str, float], seconds: float) -> int:
    print(f"{'median of each quarter':<34}" + "".join(f"{part:>11}" for part in range(1, 5)))
    for trend in trends:
        print(trend)
    print("cleared: " + ", ".join(f"{count:,.0f} {name}" for name, count in swept.items()))
    for name, count in sorted(load.answers.items()):
        print(f"  {name:<40}{count:>9,}")
    posts = load.answers["post: Created"] / seconds
    print(
        f"{posts:.1f} posts a second for {seconds / 60:.0f} min,"
        f" {posts / MISSION_POSTS:.3f} of the mission's rate"
    )
    growing = [trend.name for trend in trends if trend.grows]
    if not trends:
        print("too few samples to say whether something grows")
    else:
        print(f"grows: {', '.join(growing)}" if growing else "nothing grows")
    return int(bool(growing) or not trends)


if __name__ == "__main__":
    sys.exit(main())
