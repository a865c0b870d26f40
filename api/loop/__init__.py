"""What asgi.py serves: the fast feed on an event loop, and Flask behind it."""
