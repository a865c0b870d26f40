"""What the demo says at its end: how to look at the town."""

import time
from urllib.parse import quote

from rich.console import Console

from demo.fill import Resident
from demo.state import State, Where

VISIBLE_SECONDS = 90

QUERY = (
    "MATCH path = (me:User {{username: '{username}'}})-[:FOLLOWS]->(:User)-[:POSTED]->(:Post)"
    "-[:SHOWS]->(:Photo) RETURN path LIMIT 30"
)
"""Draws the person, whom they follow, and what those posted."""


def show(console: Console, where: Where, state: State, guide: Resident) -> None:
    """Print a log-in, a curl line that works as it stands, and the graph around that person."""
    feed = await_feed(guide)
    person = guide.person
    query = QUERY.format(username=person.username)

    def say(line: str = "") -> None:
        # Neither wrapped nor coloured: these lines are there to be copied.
        console.print(line, soft_wrap=True, markup=False, highlight=False)

    console.rule(f"{person.name} follows {len(person.follows)} people")
    say(f"{len(feed)} posts on the first page of the feed, newest: {first_line(feed)}")
    say()
    say(f"Sign in with the password of everyone in this town (kept in {state.path})")
    say(f"  username  {person.username}")
    say(f"  password  {state.password}")
    say()
    say("Read the feed")
    say(
        f"  curl -s '{where.api_url}/v1/me/feed?limit=3' "
        f"-H 'Authorization: Bearer {guide.client.auth_token}' | python3 -m json.tool"
    )
    say()
    say("Draw the graph around them (the password of neo4j is in the table of `make up`)")
    if where.browser_url:
        say(f"  {where.browser_url}&cmd=edit&arg={quote(query)}")
    say(f"  {query}")


def await_feed(guide: Resident) -> list[dict[str, object]]:
    """The first page, once the workers have delivered; a fresh town takes a second or two."""
    until = time.monotonic() + VISIBLE_SECONDS
    while True:
        feed: list[dict[str, object]] = guide.client.call("GET", "/v1/me/feed")["posts"]
        if feed or time.monotonic() > until:
            return feed
        time.sleep(1)


def first_line(feed: list[dict[str, object]]) -> str:
    """The newest caption's first line."""
    caption = str(feed[0].get("caption") or "") if feed else ""
    return caption.splitlines()[0] if caption else "(no caption)"
