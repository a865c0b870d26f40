"""The commands of operators, run in this process."""

from click.testing import Result

from graph import Graph
from graph.ids import MAX_ID
from graph.moderation import AuditEntry
from operators.commands import create_app

_APP = create_app()


def run_command(*arguments: str | int) -> Result:
    """`flask` with these arguments, on the stores of the environment. Any exit is a result."""
    group, *rest = map(str, arguments)
    result = _APP.test_cli_runner().invoke(_APP.cli.commands[group], rest)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def moderate(*arguments: str | int, by: str = "ola") -> str:
    """The output of `flask moderation …`, which succeeds."""
    result = run_command("moderation", *arguments, "--by", by)
    assert result.exit_code == 0, result.output
    return result.output


def entries_of(graph: Graph, subject_id: int) -> list[AuditEntry]:
    """The audit entries of a subject, the oldest first."""
    log = graph.moderation.log(before=MAX_ID, limit=1_000)
    return [entry for entry in reversed(log) if entry.subject_id == subject_id]
