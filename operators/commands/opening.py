"""The stores that a command works on, and errors as the sentences that an operator reads."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import click
from environs import Env, EnvValidationError

from graph import Graph, GraphSettings
from graph.errors import GraphError
from storage import Storage, StorageSettings
from storage.errors import StorageError

GRAPH_SCHEMES = ("bolt", "neo4j")


class CommandError(click.ClickException):
    """A command could not do what it was asked; the message says why, and what to do.

    It ends the command with status 1.
    """

    def show(self, file: IO[Any] | None = None) -> None:
        """The message alone, on stderr."""
        click.echo(self.message, file=file, err=file is None)


@contextmanager
def opened_stores() -> Iterator[tuple[Graph, Storage]]:
    """The graph and the storage that the environment names, closed at the end.

    Raises CommandError in place of whatever a store or the settings refuse meanwhile.
    """
    with saying():
        env = Env(eager=False)
        graph_settings = GraphSettings.from_env(env)
        storage_settings = StorageSettings.from_env(env)
        env.seal()
        if not graph_settings.uri.startswith(GRAPH_SCHEMES):
            raise CommandError("NEO4J_URI must begin with bolt:// or neo4j:// (or +s, +ssc).")
        with Graph.open(graph_settings) as graph:
            storage = opened(storage_settings)
            try:
                yield graph, storage
            finally:
                storage.close()


def opened(settings: StorageSettings) -> Storage:
    """The storage. Raises CommandError where an address is of no use, which its drivers tell so."""
    try:
        return Storage.open(settings)
    except ValueError as error:
        raise CommandError(f"A store's URL cannot be used: {first_line(error)}.") from error


@contextmanager
def saying() -> Iterator[None]:
    """Raises CommandError in place of an error of the settings or of a store."""
    try:
        yield
    except EnvValidationError as error:
        raise CommandError("\n".join(missing_settings(error))) from error
    except GraphError as error:
        raise CommandError(
            f"Neo4j: {first_line(error)}\n"
            "Is it running, and are NEO4J_URI, _USER and _PASSWORD right?"
        ) from error
    except StorageError as error:
        raise CommandError(f"{first_line(error)}. Is it running, and is its URL right?") from error


def missing_settings(error: EnvValidationError) -> Iterator[str]:
    """A line for each variable that is missing or wrong."""
    found = error.error_messages
    if not isinstance(found, Mapping):
        yield str(error)
        return
    for name, messages in found.items():
        yield f"{name}: {' '.join(messages)}"


def first_line(error: Exception) -> str:
    """The error in one line, without the codes a driver puts around its message."""
    line = str(error).partition("\n")[0].rstrip(" :")
    found = re.search(r"\{message: (.*?)\}", line)
    return found[1] if found else line
