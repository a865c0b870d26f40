"""Roles: the secrets that each of our processes gets, and no others."""

from collections.abc import Mapping
from dataclasses import dataclass

STORE_ROLES = ("api", "worker", "admin")
"""Users of the Redis servers and identities of S3. The stack itself, `init` and the commands of
operators use those with all rights."""

REDIS_SECRETS = ("QUEUE_REDIS_URL", "CACHE_REDIS_URL")
S3_SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
OWN_SECRETS = (
    *("NEO4J_PASSWORD", "CURSOR_SECRET", "TOKEN_KEYS"),
    *("VAPID_PRIVATE_KEY", "ADMIN_PASSWORD"),
)
SECRETS = (*OWN_SECRETS, *REDIS_SECRETS, *S3_SECRETS)
"""The variables of our processes that hold a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a process gets: its role at Redis and S3, and which other secrets."""

    role: str | None
    """None: all rights."""
    own: frozenset[str]
    uses_s3: bool = True


def _worker(*, uses_s3: bool, own: str = "NEO4J_PASSWORD") -> Access:
    return Access(role="worker", own=frozenset(own.split()), uses_s3=uses_s3)


ACCESS: Mapping[str, Access] = {
    "api": Access(role="api", own=frozenset({"NEO4J_PASSWORD", "CURSOR_SECRET", "TOKEN_KEYS"})),
    "photos": _worker(uses_s3=True),
    "fanout": _worker(uses_s3=False),
    "fanout-large": _worker(uses_s3=False),
    "timelines": _worker(uses_s3=False),
    "removal": _worker(uses_s3=True),
    "exports": _worker(uses_s3=True),
    "sweeper": _worker(uses_s3=True),
    "notifier": _worker(uses_s3=False, own="NEO4J_PASSWORD VAPID_PRIVATE_KEY"),
    "admin": Access(role="admin", own=frozenset({"NEO4J_PASSWORD", "ADMIN_PASSWORD"})),
    "init": Access(role=None, own=frozenset({"NEO4J_PASSWORD"})),
}
"""By the name of the process; `init` is `python -m api init`."""


def variable_of(role: str, name: str) -> str:
    """The variable of the whole stack with a role's secret: `API_QUEUE_REDIS_URL`."""
    return f"{role.upper()}_{name}"


ROLE_VARIABLES = (
    *("API_QUEUE_REDIS_URL", "API_CACHE_REDIS_URL"),
    *("API_AWS_ACCESS_KEY_ID", "API_AWS_SECRET_ACCESS_KEY"),
    *("WORKER_QUEUE_REDIS_URL", "WORKER_CACHE_REDIS_URL"),
    *("WORKER_AWS_ACCESS_KEY_ID", "WORKER_AWS_SECRET_ACCESS_KEY"),
    *("ADMIN_QUEUE_REDIS_URL", "ADMIN_CACHE_REDIS_URL"),
    *("ADMIN_AWS_ACCESS_KEY_ID", "ADMIN_AWS_SECRET_ACCESS_KEY"),
)
"""Those of all roles."""


def environment_of(process: str, env: Mapping[str, str]) -> dict[str, str]:
    """The variables of `env`, of the whole stack, that the process gets, each by its usual name.

    A role without a secret of its own, as at an external store, gets the one with all rights. A
    process that does not use S3 gets empty keys.
    """
    access = ACCESS[process]
    hidden = {*SECRETS, *ROLE_VARIABLES}
    mine = {name: value for name, value in env.items() if name not in hidden}
    mine |= {name: env[name] for name in OWN_SECRETS if name in access.own and name in env}
    for name in (*REDIS_SECRETS, *S3_SECRETS):
        if name in env:
            mine[name] = _of_role(access.role, name, env)
    if not access.uses_s3:
        mine |= dict.fromkeys(S3_SECRETS, "")
    return mine


def without_secrets(env: Mapping[str, str]) -> dict[str, str]:
    """The variables but for those that hold a secret: what a process inherits."""
    return {name: env[name] for name in env if name not in {*SECRETS, *ROLE_VARIABLES}}


def _of_role(role: str | None, name: str, env: Mapping[str, str]) -> str:
    return env.get(variable_of(role, name), "") or env[name] if role else env[name]
