"""The stores of a command, and errors as messages for an operator."""

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
    """A command failed. The message gives the reason and the remedy; the exit status is 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message alone to stderr."""
        click.echo(self.message, file=file, err=file is None)


@contextmanager
def open_stores() -> Iterator[tuple[Graph, Storage]]:
    """The graph and the storage of the environment's settings, closed at the end.

    Raises CommandError for wrong settings, and for an error of a store inside the block.
    """
    with translate_errors():
        env = Env(eager=False)
        graph_settings = GraphSettings.from_env(env)
        storage_settings = StorageSettings.from_env(env)
        env.seal()
        if not graph_settings.uri.startswith(GRAPH_SCHEMES):
            raise CommandError("NEO4J_URI must begin with bolt:// or neo4j:// (or +s, +ssc).")
        with Graph.open(graph_settings) as graph:
            storage = _open_storage(storage_settings)
            try:
                yield graph, storage
            finally:
                storage.close()


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raises CommandError instead of an error of the settings or of a store."""
    try:
        yield
    except EnvValidationError as error:
        raise CommandError("\n".join(_setting_errors(error))) from error
    except GraphError as error:
        raise CommandError(
            f"Neo4j: {_first_line(error)}\n"
            "Is it running, and are NEO4J_URI, _USER and _PASSWORD right?"
        ) from error
    except StorageError as error:
        raise CommandError(f"{_first_line(error)}. Is it running, and is its URL right?") from error


def _open_storage(settings: StorageSettings) -> Storage:
    """The storage. Raises CommandError for an invalid URL, for which drivers raise ValueError."""
    try:
        return Storage.open(settings)
    except ValueError as error:
        raise CommandError(f"A store's URL cannot be used: {_first_line(error)}.") from error


def _setting_errors(error: EnvValidationError) -> Iterator[str]:
    """A line for each variable that is missing or wrong."""
    messages_by_name = error.error_messages
    if not isinstance(messages_by_name, Mapping):
        yield str(error)
        return
    for name, messages in messages_by_name.items():
        yield f"{name}: {' '.join(messages)}"


def _first_line(error: Exception) -> str:
    """The first line of the error, without the codes that the Neo4j driver adds to a message."""
    line = str(error).partition("\n")[0].rstrip(" :")
    message = re.search(r"\{message: (.*?)\}", line)
    return message[1] if message else line
