"""What the files of an export have: records of a user's own data, without any secret."""

from datetime import datetime
from typing import Any

from feed.rendering import rfc3339
from graph.exports import Export
from graph.ids import time_of
from graph.notification_settings import NotificationSettings
from graph.photos import Photo
from graph.posts import Post
from graph.sessions import Session
from graph.users import User

EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/heic": "heic",
    "image/gif": "gif",
}

README = """\
Your data at photofeed, as of {created_at}.

An export has one or more parts, numbered from 1. Each is a zip file that can be opened alone. A
list that does not end in a part goes on in a later one, under a name with that part's number, as
followers-2.json. Times are in UTC.

profile.json      your profile, your settings of notifications, and where you are signed in
following.json    the people whom you follow
followers.json    the people who follow you
blocks.json       the people whom you have blocked
posts.json        your posts, newest first, with the ids of their photos
photos/           your photos, as you uploaded them: the day of the post, or of the upload if no
                  post shows the photo, and the id of the photo
photos.json       the photos of this part: the file of each id, and its description
missing.json      photos whose files could not be read; absent if there are none

Left out: people whose accounts are deleted or suspended, or between whom and you there is a block,
posts that operators have hidden, and photos that were refused, have expired, or are not uploaded.
The photos of hidden posts are here.
"""


def profile_of(
    user: User, settings: NotificationSettings, sessions: list[Session]
) -> dict[str, Any]:
    """The profile, the settings and the sessions. Of a session there is no token and no hash."""
    hours = settings.quiet_hours
    return {
        "id": str(user.id),
        "username": user.username,
        "name": user.name,
        "bio": user.bio,
        "location": user.location,
        "created_at": rfc3339(user.created_at),
        "notification_settings": {
            "push": settings.push,
            "quiet_hours": hours
            and {
                "start": f"{hours.start:%H:%M}",
                "end": f"{hours.end:%H:%M}",
                "time_zone": hours.time_zone,
            },
        },
        "sessions": [_session_of(session) for session in sessions],
    }


def _session_of(session: Session) -> dict[str, Any]:
    return {
        "created_at": rfc3339(session.created_at),
        "last_used_at": _time(session.last_used_at),
        "expires_at": rfc3339(session.expires_at),
        "network": session.network,
        "user_agent": session.user_agent,
    }


def person_of(user: User) -> dict[str, Any]:
    """Another user, in a list of the user's."""
    return {"id": str(user.id), "username": user.username, "name": user.name}


def post_of(post: Post) -> dict[str, Any]:
    """A post."""
    place = post.location
    return {
        "id": str(post.id),
        "created_at": rfc3339(post.created_at),
        "caption": post.caption,
        "location": place
        and {"name": place.name, "latitude": place.latitude, "longitude": place.longitude},
        "photo_ids": [str(photo.id) for photo in post.photos],
    }


def photo_of(photo: Photo) -> dict[str, Any]:
    """A photo of a part."""
    return {
        "id": str(photo.id),
        "file": file_of(photo),
        "uploaded_at": rfc3339(time_of(photo.id)),
        "post_id": None if photo.post_id is None else str(photo.post_id),
        "content_type": photo.content_type,
        "size_bytes": photo.size_bytes,
        "width": photo.width,
        "height": photo.height,
        "alt_text": photo.alt_text,
    }


def file_of(photo: Photo) -> str:
    """The name of a photo's file in its part."""
    extension = EXTENSIONS.get(photo.content_type, "bin")
    return f"photos/{shown_at(photo):%Y-%m-%d}-{photo.id}.{extension}"


def shown_at(photo: Photo) -> datetime:
    """The time of the post that shows the photo, or of its upload."""
    return time_of(photo.post_id or photo.id)


def readme_of(export: Export) -> bytes:
    """The text that says what is in an export."""
    return README.format(created_at=rfc3339(export.created_at)).encode()


def _time(time: datetime | None) -> str | None:
    return None if time is None else rfc3339(time)
