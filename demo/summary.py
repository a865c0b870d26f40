"""The summary at the end of the demo: how to look at the town."""

import time
from urllib.parse import quote

from rich.console import Console

from demo.fill import Resident
from demo.state import Addresses, State

FEED_SECONDS = 90
"""How long the first post in the feed is waited for."""

QUERY = (
    "MATCH path = (me:User {{username: '{username}'}})-[:FOLLOWS]->(:User)-[:POSTED]->(:Post)"
    "-[:SHOWS]->(:Photo) RETURN path LIMIT 30"
)
"""Draws the person, the people they follow, and the photos of those people's posts."""


def print_summary(console: Console, addresses: Addresses, state: State, guide: Resident) -> None:
    """Print a login, a curl command that reads a feed, and a query for Neo4j Browser."""
    feed = await_feed(guide)
    person = guide.person
    query = QUERY.format(username=person.username)

    def write(line: str = "") -> None:
        # Neither wrapped nor coloured, so that the lines can be copied.
        console.print(line, soft_wrap=True, markup=False, highlight=False)

    console.rule(f"{person.name} follows {len(person.follows)} people")
    write(f"{len(feed)} posts on the first page of the feed, newest: {first_line(feed)}")
    write()
    write(f"Sign in: all accounts of this town have one password (stored in {state.path})")
    write(f"  username  {person.username}")
    write(f"  password  {state.password}")
    write()
    write("Read the feed")
    write(
        f"  curl -s '{addresses.api_url}/v1/me/feed?limit=3' "
        f"-H 'Authorization: Bearer {guide.client.auth_token}' | python3 -m json.tool"
    )
    write()
    write("Draw the graph around them (the password of neo4j is in the table of `make up`)")
    if addresses.browser_url:
        write(f"  {addresses.browser_url}&cmd=edit&arg={quote(query)}")
    write(f"  {query}")


def await_feed(guide: Resident) -> list[dict[str, object]]:
    """The first page of the feed, once it has a post; in a new town that takes a second or two."""
    deadline = time.monotonic() + FEED_SECONDS
    while True:
        feed: list[dict[str, object]] = guide.client.call("GET", "/v1/me/feed")["posts"]
        if feed or time.monotonic() > deadline:
            return feed
        time.sleep(1)


def first_line(feed: list[dict[str, object]]) -> str:
    """The first line of the newest caption."""
    caption = str(feed[0].get("caption") or "") if feed else ""
    return caption.splitlines()[0] if caption else "(no caption)"
