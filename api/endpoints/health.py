"""Health checks: whether this process runs, and whether it can serve requests."""

from typing import Any

from api.http import context
from api.http.parsing import Blueprint
from api.schemas.health import LivenessSchema, ReadinessSchema

blueprint = Blueprint(
    "health", __name__, description="Health checks for load balancers and operators."
)

_CHECKS = ("neo4j", "queue", "cache", "s3", "oldest_event_seconds")
"""The attributes of the health report that are in the response."""


@blueprint.get("/livez")
@blueprint.response(200, LivenessSchema)
def check_liveness() -> Any:
    """Checks that the process answers.

    It reads no store. Restart the process if it does not answer.
    """
    return {"status": "ok"}


@blueprint.get("/readyz")
@blueprint.response(200, ReadinessSchema)
@blueprint.alt_response(
    503,
    schema=ReadinessSchema,
    example={
        "status": "unavailable",
        "checks": {
            "neo4j": "unavailable",
            "queue": "ok",
            "cache": "unavailable",
            "s3": "ok",
            "oldest_event_seconds": None,
        },
    },
    description="The process can serve no feeds now.",
    headers={"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}},
)
def check_readiness() -> Any:
    """Checks that the process can serve requests.

    200 with `ok`, or with `degraded` if a store is down or the clock is off, but feeds can be
    served from the graph or the cache; 503 with `unavailable` if they cannot. The answer is
    remembered for a second.
    """
    health = context.health().check()
    body = {"status": health.status, "checks": {name: getattr(health, name) for name in _CHECKS}}
    return (body, 200, {}) if health.ready else (body, 503, {"Retry-After": "5"})
