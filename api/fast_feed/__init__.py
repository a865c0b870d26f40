"""GET /v1/me/feed ahead of Flask."""
