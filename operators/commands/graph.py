"""`flask graph …`: a dump of the graph, and its way back.

Only whoever runs Neo4j can stop it, so both hand over to the local stack, which says what to run
where if this Neo4j is not its own.
"""

import subprocess
import sys
from pathlib import Path

import click
from flask.cli import AppGroup

ROOT = Path(__file__).resolve().parents[2]

graph = AppGroup("graph", help="Back up the graph and restore it.")


@graph.command("backup")
@click.argument("path", type=click.Path(path_type=Path))
def backup_graph(path: Path) -> None:
    """Write the graph into PATH, or into a new file in that folder.

    Neo4j stands still meanwhile: cached feeds are read on, all else is answered 503.
    """
    hand_over("backup", path)


@graph.command("restore")
@click.argument("path", type=click.Path(path_type=Path))
@click.confirmation_option(
    prompt="All that was written since the dump will be gone. Go on?",
    help="Do not ask whether what was written since the dump may go.",
)
def restore_graph(path: Path) -> None:
    """Put the graph of a dump in place of the one that is there, and empty the cache."""
    hand_over("restore", path)


def hand_over(command: str, path: Path) -> None:
    """Run `python -m stack COMMAND PATH`, and end as it ends."""
    done = subprocess.run(
        [sys.executable, "-m", "stack", command, str(path.resolve())], cwd=ROOT, check=False
    )
    if done.returncode:
        raise click.exceptions.Exit(done.returncode)
