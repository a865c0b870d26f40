import pytest
from neo4j.exceptions import Neo4jError, ServiceUnavailable

from graph.transport.retries import is_answer


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("Neo.ClientError.Security.Unauthorized", True),
        ("Neo.ClientError.Security.AuthenticationRateLimit", True),
        ("Neo.TransientError.Transaction.DeadlockDetected", True),
        ("Neo.TransientError.General.MemoryPoolOutOfMemoryError", True),
        ("Neo.TransientError.General.DatabaseUnavailable", False),
    ],
)
def test_an_error_of_the_server_is_an_answer_unless_the_database_is_missing(
    code: str, expected: bool
) -> None:
    error = Neo4jError._hydrate_neo4j(code=code, message="a test")
    assert is_answer(error) == expected


def test_a_lost_connection_is_no_answer() -> None:
    assert not is_answer(ServiceUnavailable("a test"))
    assert not is_answer(ConnectionResetError())
