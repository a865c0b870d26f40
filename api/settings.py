"""What the API can be told from outside."""

from dataclasses import dataclass, field

from environs import Env, validate

DEFAULT_SESSION_DAYS = 30
"""Days until a sign-in runs out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """The API's own settings; each store has its own beside it."""

    cursor_secret: str = field(repr=False)
    session_days: int = DEFAULT_SESSION_DAYS
    limits_scale: float = 1.0
    """Every quota is multiplied by this: tests and the demo act as many people from one address."""
    trusted_proxies: int = 0
    """How many proxies of ours stand before us; their X-Forwarded-For entries are believed."""

    @classmethod
    def from_env(cls, env: Env) -> "ApiSettings":
        """The settings of the environment; errors are collected for `env.seal()`."""
        return cls(
            cursor_secret=env.str("CURSOR_SECRET", validate=validate.Length(min=16)),
            session_days=env.int(
                "SESSION_DAYS", DEFAULT_SESSION_DAYS, validate=validate.Range(1, 365)
            ),
            limits_scale=env.float("LIMITS_SCALE", 1.0, validate=validate.Range(min=0.001)),
            trusted_proxies=env.int("TRUSTED_PROXIES", 0, validate=validate.Range(0, 10)),
        )
