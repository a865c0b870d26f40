"""Builders of users and their data for tests of the API."""

import secrets
from dataclasses import dataclass
from typing import Any

from flask import Flask

from api.services import sessions
from api.services.passwords import Passwords
from graph import Graph
from graph.ids import new_id
from tests.support.people import PASSWORD, Person, send_post
from tests.support.town import Town
from tests.support.transports import AppTransport

PASSWORD_HASH = Passwords().hash(PASSWORD)
"""Computed once: a hash costs thirty times as much as the rest of a sign-up."""


@dataclass(frozen=True, slots=True)
class Builders:
    """Creates users, follows, photos and posts, with defaults for all but the fact under test."""

    app: Flask
    graph: Graph

    def new_user(self, *, name: str = "") -> Person:
        """A user with PASSWORD and a session, created directly in the graph."""
        user_id, username = new_id(), f"u{secrets.token_hex(8)}"
        self.graph.users.create(
            user_id=user_id, username=username, name=name or username, password_hash=PASSWORD_HASH
        )
        token = sessions.create(self.graph, user_id, days=1).token
        transport = AppTransport(self.app)
        return Person(transport=transport, id=user_id, username=username, token=str(token))

    def photo_waiting(self, owner: Person) -> int:
        return Town(self.graph).waiting_photo(owner.id).id

    def photo_processing(self, owner: Person) -> int:
        photo_id = self.photo_waiting(owner)
        _, event = self.graph.photos.complete(photo_id, owner_id=owner.id)
        assert event
        claimed = self.graph.events.claim(event.id, event.epoch)
        assert claimed
        self.graph.events.finish(claimed.id, claimed.epoch)
        return photo_id

    def photo_ready(self, owner: Person) -> int:
        photo_id = self.photo_processing(owner)
        self.graph.photos.set_ready(photo_id, width=640, height=480, blurhash="LEHV6nWB2yk8")
        return photo_id

    def photo_failed(self, owner: Person) -> int:
        photo_id = self.photo_processing(owner)
        self.graph.photos.set_failed(photo_id, "not-an-image")
        return photo_id

    def draft(self, author: Person, **body: Any) -> dict[str, Any]:
        photo_ids = body["photo_ids"] if "photo_ids" in body else [self.photo_ready(author)]
        return {**body, "photo_ids": [str(photo_id) for photo_id in photo_ids]}

    def publish(self, author: Person, **body: Any) -> dict[str, Any]:
        response = send_post(author, self.draft(author, **body))
        assert response.status_code == 201, response.text
        post: dict[str, Any] = response.json
        return post
