"""Flask's hello, as JSON: what a framework costs before an app does anything."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> dict[str, str]:
    """The same answer every time."""
    return {"hello": "world"}
