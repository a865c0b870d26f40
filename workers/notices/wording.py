"""The text of a notice. Pure."""

from collections.abc import Sequence

from graph.notification_kinds import MAX_NAMES, people_in
from graph.read_positions import NewPost

MOST_COUNTED = 100
"""Posts that a notice counts; more are "100+"."""


def sentence_of(posts: Sequence[NewPost]) -> str:
    """What there is to see, for at least one post, newest first.

    "Ana posted a photo", "3 new photos from Ana, Bo and 1 other".
    """
    names = list({post.author_id: post.author_name for post in posts}.values())
    people = people_in(names[:MAX_NAMES], len(names[MAX_NAMES:]))
    if len(posts) == 1:
        return f"{people} posted a photo"
    count = str(len(posts)) if len(posts) <= MOST_COUNTED else f"{MOST_COUNTED}+"
    return f"{count} new photos from {people}"
