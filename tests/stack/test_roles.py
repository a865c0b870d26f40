"""Which secrets each process gets."""

from stack.parts.photofeed import WORKERS
from stack.roles import (
    ACCESS,
    OWN_SECRETS,
    REDIS_SECRETS,
    ROLE_VARIABLES,
    S3_SECRETS,
    SECRETS,
    STORE_ROLES,
    environment_of,
    variable_of,
    without_secrets,
)

WHOLE = {name: f"the {name}" for name in (*SECRETS, *ROLE_VARIABLES)} | {"API_PORT": "8000"}
WITHOUT_S3 = {"fanout", "fanout-large", "timelines", "notifier"}
ROLES = {"api": "api", "admin": "admin", "init": None} | dict.fromkeys(WORKERS, "worker")
OWN = {
    "api": {"NEO4J_PASSWORD", "CURSOR_SECRET", "TOKEN_KEYS"},
    "admin": {"NEO4J_PASSWORD", "ADMIN_PASSWORD"},
    "notifier": {"NEO4J_PASSWORD", "VAPID_PRIVATE_KEY"},
}
"""The secrets of a process beside those of Redis and S3; the others have NEO4J_PASSWORD alone."""


def expected(process: str) -> dict[str, str]:
    """The environment that the process should have."""
    role = ROLES[process]
    env = {"API_PORT": "8000"}
    env |= {name: WHOLE[name] for name in OWN.get(process, {"NEO4J_PASSWORD"})}
    for name in set(SECRETS) - set(OWN_SECRETS):
        env[name] = WHOLE[variable_of(role, name) if role else name]
    return env | (dict.fromkeys(S3_SECRETS, "") if process in WITHOUT_S3 else {})


# Security 22
def test_every_process_gets_its_own_secrets_and_no_others() -> None:
    assert set(ACCESS) == set(ROLES)
    for process in ACCESS:
        assert environment_of(process, WHOLE) == expected(process), process


def test_a_store_without_roles_is_reached_with_the_one_secret_that_is_known() -> None:
    env = {name: WHOLE[name] for name in SECRETS}
    assert environment_of("api", env)["QUEUE_REDIS_URL"] == "the QUEUE_REDIS_URL"
    assert environment_of("api", {"API_PORT": "1"}) == {"API_PORT": "1"}


def test_no_process_inherits_a_secret_of_the_launchers_environment() -> None:
    assert without_secrets(WHOLE) == {"API_PORT": "8000"}


def test_every_role_has_a_variable_for_each_secret_of_a_store() -> None:
    names = (*REDIS_SECRETS, *S3_SECRETS)
    assert tuple(variable_of(role, n) for role in STORE_ROLES for n in names) == ROLE_VARIABLES
