"""Whether this process lives, and whether it can serve."""

from typing import Any

from api.http import context
from api.http.parsing import Blueprint
from api.schemas.health import LivenessSchema, ReadinessSchema

blueprint = Blueprint("health", __name__, description="For load balancers and operators")

_CHECKS = ("neo4j", "queue", "cache", "s3", "oldest_event_seconds")


@blueprint.get("/livez")
@blueprint.response(200, LivenessSchema)
def livez() -> Any:
    """That this process answers."""
    return {"status": "ok"}


@blueprint.get("/readyz")
@blueprint.response(200, ReadinessSchema)
@blueprint.alt_response(503, schema=ReadinessSchema, description="Send no requests here now")
def readyz() -> Any:
    """Whether this process can serve: 200 also when `degraded`, 503 when it cannot."""
    health = context.parts().health.check()
    body = {"status": health.status, "checks": {name: getattr(health, name) for name in _CHECKS}}
    return (body, 200, {}) if health.ready else (body, 503, {"Retry-After": "5"})
