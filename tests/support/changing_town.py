"""A few people whose feeds change in every way, and processes that must show each change at once.

The writer is a process of its own. `check` compares every reading process with Flask's view and
with the graph.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from api.services import sessions
from graph import Graph
from operators.commands.feed import feed as feed_commands
from storage.bodies import body_key
from storage.sessions import copy_key
from storage.timeline_layout import timeline_key
from tests.support.fast_feed import FastFeedProcess
from tests.support.front import differences
from tests.support.outbox import run
from tests.support.people import A_DAY, OTHER_PASSWORD, PASSWORD, Builders, Person, post_ids
from tests.support.tokens import TOKENS
from tests.support.town import Town
from tests.support.transports import ApiResponse

PATH = "/v1/me/feed"
LIMITS = (3, 100)


@dataclass
class ChangingTown:
    """Each method that changes something returns after the writer's 2xx."""

    chance: random.Random
    graph: Graph
    writer: FastFeedProcess
    readers: Sequence[FastFeedProcess]
    people: list[Person] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    passwords: dict[int, str] = field(default_factory=dict)
    answers: int = 0
    from_kept_pages: int = 0
    """Those of the answers that a finished page gave, in any reading process."""
    forwarded: int = 0

    def __post_init__(self) -> None:
        self.town = Town(self.graph)
        self.builders = Builders(self.writer.app, self.graph)
        self.storage = self.writer.storage
        for reader in self.readers:
            self._count_kept_pages(reader)

    def settle_people(self, count: int) -> None:
        """Some people who follow each other and have posts."""
        for _ in range(count):
            person = self.builders.new_user(name="Name 0")
            self.people.append(person)
            self.names[person.id] = "Name 0"
            self.passwords[person.id] = PASSWORD
        for person in self.people:
            self.town.add_followees(person.id, *[p.id for p in self.people if p != person])
            for _ in range(3):
                self.builders.publish(person)
        self.let_time_pass()

    # Changes. Each returns whose feeds it concerns most.

    def publish(self) -> list[Person]:
        author = self.anyone()
        self.builders.publish(author, caption=f"caption {self.chance.random()}")
        self.check([author])  # their own post is there before any worker runs
        self._run_events("post-published")
        return self.people

    def delete(self) -> list[Person]:
        if post := self._any_post():
            author, post_id = post
            assert author.delete(f"/v1/posts/{post_id}").status_code == 204
        return self.people

    def rename(self) -> list[Person]:
        author = self.anyone()
        name = f"Name {self.chance.randrange(10**6)}"
        assert author.patch("/v1/me", json={"name": name}).status_code == 200
        self.names[author.id] = name
        return self.people

    def follow(self) -> list[Person]:
        follower, followee = self._pair()
        assert follower.put(f"/v1/me/following/{followee.id}").status_code in {204, 404}
        return [follower]

    def unfollow(self) -> list[Person]:
        follower, followee = self._pair()
        response = follower.delete(f"/v1/me/following/{followee.id}")
        assert response.status_code in {204, 404}  # 404: one of them has blocked the other
        return [follower]

    def remove_follower(self) -> list[Person]:
        followee, follower = self._pair()
        response = followee.delete(f"/v1/me/followers/{follower.id}")
        assert response.status_code in {204, 404}
        return [follower]

    def block(self) -> list[Person]:
        blocker, blocked = self._pair()
        response = blocker.put(f"/v1/me/blocks/{blocked.id}")
        assert response.status_code in {204, 404}  # 404: the other has blocked first
        self.check([blocker, blocked])
        if self.chance.random() < 0.8:
            assert blocker.delete(f"/v1/me/blocks/{blocked.id}").status_code in {204, 404}
        return [blocker, blocked]

    def sign_out(self) -> list[Person]:
        return self._end_session(lambda p: p.delete("/v1/me/sessions/current"))

    def revoke(self) -> list[Person]:
        def send(person: Person) -> ApiResponse:
            token = TOKENS.read(person.token)
            assert token
            return self._main_session(person).delete(f"/v1/me/sessions/{token.session_id}")

        return self._end_session(send)

    def change_password(self) -> list[Person]:
        def send(person: Person) -> ApiResponse:
            old = self.passwords[person.id]
            new = OTHER_PASSWORD if old == PASSWORD else PASSWORD
            self.passwords[person.id] = new
            body = {"password": new, "current_password": old}
            return self._main_session(person).patch("/v1/me", json=body)

        return self._end_session(send)

    def rebuild(self) -> list[Person]:
        person = self.anyone()
        arguments = ["rebuild", "--user", str(person.id)]
        result = self.writer.app.test_cli_runner().invoke(feed_commands, arguments)
        assert result.exit_code == 0, result.output
        return [person]

    def repair_body(self) -> list[Person]:
        """A wrong body, which an old error left everywhere, is repaired by the operator."""
        if post := self._any_post():
            author, post_id = post
            wrong = b'{"id":"%d","author":{"id":"%d"},"caption":"wrong"}' % (post_id, author.id)
            self.storage.cache.client.set(body_key(post_id), wrong)
            for reader in self.readers:
                reader.get(author, f"{PATH}?limit=100")
            arguments = ["rebuild", *[a for p in self.people for a in ("--user", str(p.id))]]
            result = self.writer.app.test_cli_runner().invoke(feed_commands, arguments)
            assert result.exit_code == 0, result.output
            if self.storage.bodies.read_many([post_id])[post_id] == wrong:  # in nobody's timeline
                self.storage.bodies.discard([post_id])
        return self.people

    def flush(self) -> list[Person]:
        self.storage.cache.client.flushall()
        return self.people

    def evict(self) -> list[Person]:
        person = self.anyone()
        token = TOKENS.read(person.token)
        assert token
        keys: list[bytes | str] = [timeline_key(person.id), copy_key(person.id, token.session_id)]
        keys += [body_key(post_id) for post_id in self.town.expected_feed(person.id)]
        self.storage.cache.client.delete(*self.chance.sample(keys, min(3, len(keys))))
        return [person]

    def let_time_pass(self) -> list[Person]:
        """The events of all people are done, and their leavings are over."""
        for _ in range(20):
            self.town.end_hold(*self._ids)
            if not self._run_events():
                return self.people
        raise AssertionError("events left")

    # Checks.

    def check(self, viewers: Sequence[Person]) -> None:
        """Assert that every process shows these viewers what the view shows, and the truth."""
        for viewer in viewers:
            limit = self.chance.choice(LIMITS)
            page = self._check_page(viewer, f"{PATH}?limit={limit}")
            expected = self.town.expected_feed(viewer.id)
            shown = post_ids(page)  # fewer than `limit` if some of them are deleted
            end = len(shown) if "next" in page else len(expected)
            assert shown == expected[:end], "not what the graph has"
            for name in self.chance.choices(["next", "prev"], k=2):
                if name not in page:
                    break
                page = self._check_page(viewer, f"{PATH}?limit={limit}&cursor={page[name]}")
                assert set(post_ids(page)) <= set(expected)

    def anyone(self) -> Person:
        """A random person."""
        return self.chance.choice(self.people)

    @property
    def _ids(self) -> list[int]:
        return [person.id for person in self.people]

    def _check_page(self, viewer: Person, path: str) -> dict[str, str]:
        view: ApiResponse | None = None
        for reader in self.chance.sample(self.readers, len(self.readers)):
            response = reader.get(viewer, path)
            self.answers += 1
            self.forwarded += reader.forwarded
            view = view or reader.view(viewer, path)
            assert differences(response, view) == {}, path
        assert view
        assert view.status_code == 200, view.text
        for post in view.json["posts"]:
            assert post["author"]["name"] == self.names[int(post["author"]["id"])]
        page: dict[str, str] = view.json
        return page

    def _end_session(self, end: Callable[[Person], ApiResponse]) -> list[Person]:
        """A session that every process keeps ends: none accepts it afterwards."""
        person = self.anyone()
        other = sessions.create(self.graph, self.storage, person.id, lifetime=A_DAY).token
        session = person.on(person.transport, TOKENS.sign(other))
        for reader in (*self.readers, *self.readers):
            assert reader.get(session, PATH).status_code == 200
        assert end(session).status_code in {200, 204}
        for reader in self.readers:
            response = reader.get(session, PATH)
            assert response.status_code == 401
            assert differences(response, reader.view(session, PATH)) == {}
        return [person]

    def _main_session(self, person: Person) -> Person:
        return next(p for p in self.people if p.id == person.id)

    def _pair(self) -> list[Person]:
        return self.chance.sample(self.people, 2)

    def _any_post(self) -> tuple[Person, int] | None:
        author = self.anyone()
        rows = self.graph.posts.ids_by_author(author.id, before=2**53, limit=8)
        return (author, self.chance.choice(rows)) if rows else None

    def _run_events(self, kind: str = "") -> int:
        events = [e for e in self.town.events_of(*self._ids) if e.kind.startswith(kind)]
        for event in events:
            self.town.end_lease(event.id)
            current = self.town.find_event(event.id) or event
            run(self.graph, self.storage, current.id, current.epoch)
        return len(events)

    def _count_kept_pages(self, reader: FastFeedProcess) -> None:
        kept_page = reader.front._kept_page

        def count(*arguments: object) -> object:
            page = kept_page(*arguments)  # type: ignore[arg-type]
            self.from_kept_pages += page is not None
            return page

        reader.front._kept_page = count  # type: ignore[method-assign,assignment]
