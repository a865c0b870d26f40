"""Flask's hello as JSON: the cost of the framework alone."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> dict[str, str]:
    """The same answer every time."""
    return {"hello": "world"}
