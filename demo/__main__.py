"""`python -m demo` (`make demo`): fills the running stack with a small town through the API."""

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from demo.client import ApiDownError, ApiError, Client
from demo.fill import UsernameTakenError, follow_all, publish_all, sign_up_all
from demo.pictures import PicturesError, fetch
from demo.plan import Town, plan
from demo.state import Addresses, State, stack_folder
from demo.summary import print_summary
from stack.progress import Progress

ROOT = Path(__file__).resolve().parents[1]
PEOPLE = 100
POSTS = 300


def parse_arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--posts", type=int, default=POSTS)
    parser.add_argument("--seed", type=int, help="draw another town (default: the last seed)")
    parser.add_argument("--api", help="base URL (default: the running stack's, else API_URL)")
    return parser.parse_args()


def main() -> int:
    """Fill the town; returns the exit status. Prints a message if that fails."""
    arguments = parse_arguments()
    console = Console()
    folder = stack_folder(ROOT)
    addresses = Addresses.find(folder, os.environ, api_url=arguments.api)
    try:
        state = State.load(folder / "demo.json", seed=arguments.seed)
        town = plan(state.seed, arguments.people, arguments.posts)
        console.print(f"Seed {state.seed}, {addresses.api_url}")
        fill(console, town, addresses, state, folder / "demo")
    except ApiDownError as error:
        console.print(f"[red]{error}[/] Start it with `make up`, then run `make demo` again.")
    except UsernameTakenError as error:
        console.print(
            f"[red]{error} exists with another password.[/] The {state.path} of the run that "
            "signed it up is gone: draw another town with `.venv/bin/python -m demo --seed 2`."
        )
    except (ApiError, PicturesError, OSError) as error:
        console.print(f"[red]{error}[/]", highlight=False)
    except KeyboardInterrupt:
        console.print("Stopped. Run it again to continue.")
    else:
        return 0
    return 1


def fill(console: Console, town: Town, addresses: Addresses, state: State, folder: Path) -> None:
    """Carry out the plan, with a progress bar for each step, and print a summary."""
    Client(addresses.api_url).call("GET", "/livez")
    with Progress("Fetching photographs", 1) as progress:
        pictures = fetch(folder)
        progress.advance()
    with Progress("People", len(town.people)) as progress:
        residents = sign_up_all(town, addresses.api_url, state.password, progress.advance)
    with Progress("Follows", sum(len(person.follows) for person in town.people)) as progress:
        follow_all(town, residents, progress.advance)
    with Progress("Posts", len(town.posts)) as progress:
        new = publish_all(town, residents, pictures, progress.advance)
    old = len(town.posts) - new
    console.print(f"{new} posts made" + (f", {old} were there already." if old else "."))
    print_summary(console, addresses, state, residents[town.guide().username])


if __name__ == "__main__":
    sys.exit(main())
