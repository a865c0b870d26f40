"""`python -m demo` (`make demo`): fill the running stack with a small town by its public API."""

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from demo.client import ApiDownError, ApiError, Client
from demo.ending import show
from demo.fill import TakenError, arrive, follow, publish
from demo.pictures import PicturesError, fetch
from demo.plan import Town, plan
from demo.state import State, Where, stack_folder
from stack.progress import Progress

ROOT = Path(__file__).resolve().parents[1]
PEOPLE = 100
POSTS = 300


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--posts", type=int, default=POSTS)
    parser.add_argument("--seed", type=int, help="draw another town (default: the last one's)")
    parser.add_argument("--api", help="base URL (default: the running stack's, else API_URL)")
    return parser.parse_args()


def main() -> int:
    """Fill the town, or say in one sentence why not; the exit status."""
    asked = arguments()
    console = Console()
    folder = stack_folder(ROOT)
    where = Where.find(folder, os.environ, api_url=asked.api)
    try:
        state = State.load(folder / "demo.json", seed=asked.seed)
        town = plan(state.seed, asked.people, asked.posts)
        console.print(f"Seed {state.seed}, {where.api_url}")
        fill(console, town, where, state, folder / "demo")
    except ApiDownError as error:
        console.print(f"[red]{error}[/] Start it with `make up`, then run `make demo` again.")
    except TakenError as error:
        console.print(
            f"[red]{error} exists with another password.[/] {state.path} of the run that made it "
            "is gone: choose another town with `.venv/bin/python -m demo --seed 2`."
        )
    except (ApiError, PicturesError, OSError) as error:
        console.print(f"[red]{error}[/]", highlight=False)
    except KeyboardInterrupt:
        console.print("Stopped. Run it again to go on from here.")
    else:
        return 0
    return 1


def fill(console: Console, town: Town, where: Where, state: State, folder: Path) -> None:
    """Carry out the plan with a bar for each part of it, then say how to look at it."""
    Client(where.api_url).call("GET", "/livez")
    with Progress("Fetching photographs", 1) as progress:
        pictures = fetch(folder)
        progress.advance()
    with Progress("People", len(town.people)) as progress:
        residents = arrive(town, where.api_url, state.password, progress.advance)
    with Progress("Follows", sum(len(person.follows) for person in town.people)) as progress:
        follow(town, residents, progress.advance)
    with Progress("Posts", len(town.posts)) as progress:
        new = publish(town, residents, pictures, progress.advance)
    known = len(town.posts) - new
    console.print(f"{new} posts made" + (f", {known} were there already." if known else "."))
    show(console, where, state, residents[town.guide().username])


if __name__ == "__main__":
    sys.exit(main())
