"""An app whose stores do not answer, for tests of its routes and of the API document."""

from flask import Flask

from api.app import ApiSettings, create_app
from feed.background import BackgroundRebuilder
from graph import Graph, GraphSettings
from storage import Storage, StorageSettings
from tests.support.tokens import TOKEN_KEY

CLOSED_ADDRESS = "127.0.0.1:1"
"""Nothing listens on this port."""


def bare_app() -> Flask:
    graph = Graph.open(
        GraphSettings(uri=f"bolt://{CLOSED_ADDRESS}", user="neo4j", password="x", database="neo4j")
    )
    storage = Storage.open(
        StorageSettings(
            queue_url=f"redis://{CLOSED_ADDRESS}",
            cache_url=f"redis://{CLOSED_ADDRESS}",
            s3_endpoint_url=f"http://{CLOSED_ADDRESS}",
            s3_bucket="photofeed",
            s3_access_key="x",
            s3_secret_key="x",
            s3_region="us-east-1",
            media_base_url=f"http://{CLOSED_ADDRESS}",
        )
    )
    rebuilder = BackgroundRebuilder(graph, storage, threads=0)
    settings = ApiSettings(cursor_secret="x", token_keys=(TOKEN_KEY,))
    return create_app(settings, graph, storage, rebuilder)
