"""The settings of the graph, from the environment."""

from dataclasses import dataclass, field
from typing import Self

from environs import Env, validate

LARGE_AUDIENCE = 100_000
"""Default of the setting LARGE_AUDIENCE, in followers."""
FOLLOW_LIMIT = 7_500
"""Default of the setting FOLLOW_LIMIT, in followees of one user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSettings:
    """The address, the log-in and the limits of the graph."""

    uri: str
    user: str
    password: str = field(repr=False)
    database: str
    max_connections: int = 32
    """Size of the connection pool of one process."""
    large_audience: int = LARGE_AUDIENCE
    """Followers above which a post's fan-out has its own queue and delays no other post."""
    follow_limit: int = FOLLOW_LIMIT
    """Followees that one user may have: a feed page from the graph looks at each of them."""

    @classmethod
    def from_env(cls, env: Env) -> Self:
        """The settings from NEO4J_*, LARGE_AUDIENCE and FOLLOW_LIMIT."""
        return cls(
            uri=env.str("NEO4J_URI"),
            user=env.str("NEO4J_USER", "neo4j"),
            password=env.str("NEO4J_PASSWORD"),
            database=env.str("NEO4J_DATABASE", "neo4j"),
            max_connections=env.int("NEO4J_MAX_CONNECTIONS", 32),
            large_audience=env.int("LARGE_AUDIENCE", LARGE_AUDIENCE, validate=validate.Range(1)),
            follow_limit=env.int("FOLLOW_LIMIT", FOLLOW_LIMIT, validate=validate.Range(1)),
        )
