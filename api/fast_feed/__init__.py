"""GET /v1/me/feed without Flask."""
