"""A town for the fuzz of the API: users who follow one another, posts with photos that are ready.

Requests with ids of the town reach what is there; ids that are drawn alone would all be 404.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.images import jpeg
from tests.support.people import sign_up
from tests.support.transports import PatientTransport

PEOPLE = 6
POSTS_EACH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TownIds:
    """What requests can name, as text."""

    users: list[str]
    posts: list[str]
    usernames: list[str]

    def write(self, path: Path) -> None:
        """Write the ids for the process that makes the requests."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "TownIds":
        """The ids that `write` has written."""
        return cls(**json.loads(path.read_text()))


def settle(url: str) -> TownIds:
    """Fill the API at the URL with a town. Needs the worker of photos."""
    people = [sign_up(PatientTransport(url), "town") for _ in range(PEOPLE)]
    for person in people:
        for other in people:
            if person.id != other.id:
                person.follow(other)
    picture = jpeg(400, 400)
    uploads = [(person, person.upload(picture)) for person in people for _ in range(POSTS_EACH)]
    posts = []
    for person, photo_id in uploads:
        person.wait_until_ready(photo_id)
        posts.append(person.publish(photo_id))
    return TownIds(
        users=[str(person.id) for person in people],
        posts=[str(post_id) for post_id in posts],
        usernames=[person.username for person in people],
    )
