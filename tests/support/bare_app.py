"""The app for looking at: its stores are named and never asked."""

from flask import Flask

from api.app import ApiSettings, create_app
from feed.background import BackgroundRebuilder
from graph import Graph, GraphSettings
from storage import Storage, StorageSettings

NOBODY = "127.0.0.1:1"


def bare_app() -> Flask:
    graph = Graph.open(
        GraphSettings(uri=f"bolt://{NOBODY}", user="neo4j", password="x", database="neo4j")
    )
    storage = Storage.open(
        StorageSettings(
            queue_url=f"redis://{NOBODY}",
            cache_url=f"redis://{NOBODY}",
            s3_endpoint_url=f"http://{NOBODY}",
            s3_bucket="photofeed",
            s3_access_key="x",
            s3_secret_key="x",
            s3_region="us-east-1",
            media_base_url=f"http://{NOBODY}",
        )
    )
    rebuilder = BackgroundRebuilder(graph, storage, threads=0)
    return create_app(ApiSettings(cursor_secret="x"), graph, storage, rebuilder)
