"""`flask graph …`: backup of the graph to a dump, and restore.

Both need Neo4j stopped, so the local stack runs them. For an external Neo4j it prints the commands
to run on its host.
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
def back_up_graph(path: Path) -> None:
    """Write the graph to PATH, or to a new file if PATH is a folder.

    Neo4j is stopped meanwhile: cached feeds can be read, other requests get 503.
    """
    run_stack_command("backup", path)


@graph.command("restore")
@click.argument("path", type=click.Path(path_type=Path))
@click.confirmation_option(
    prompt="Everything written after the dump will be lost. Continue?",
    help="Do not ask for confirmation.",
)
def restore_graph(path: Path) -> None:
    """Replace the graph by the dump at PATH, and empty the cache."""
    run_stack_command("restore", path)


def run_stack_command(command: str, path: Path) -> None:
    """Run `python -m stack COMMAND PATH` and exit with its status if it fails."""
    process = subprocess.run(
        [sys.executable, "-m", "stack", command, str(path.resolve())], cwd=ROOT, check=False
    )
    if process.returncode:
        raise click.exceptions.Exit(process.returncode)
