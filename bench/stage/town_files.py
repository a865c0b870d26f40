"""A town as CSV files for `neo4j-admin database import`, with the product's own properties."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.stage.town import (
    AUTHORS,
    PHOTO_LIFE_MS,
    Town,
    caption,
    location,
    photo,
    posted_ms,
)
from graph.ids import ms_of
from stack.terminal import Report

BATCH = 2_000
"""Users written at once."""

HEADERS = {
    "users": ":ID(User),id:long,username,username_ci,name,state,password_hash,created_at:long,"
    "read_position:long,notification_position:long",
    "posts": ":ID(Post),id:long,author_id:long,caption,location_name,"
    "coordinates:point{crs:WGS-84},created_at:long",
    "photos": ":ID(Photo),id:long,owner_id:long,path,state,content_type,size_bytes:long,"
    "width:long,height:long,blurhash,expires_at:long",
    "posted": ":START_ID(User),:END_ID(Post)",
    "shows": ":START_ID(Post),:END_ID(Photo),position:long,photo_id:long",
    "follows": ":START_ID(User),:END_ID(User),follower_id:long,followee_id:long,created_at:long",
}
"""The first line of each file. An empty field becomes no property."""

NODES = {"users": "User", "posts": "Post", "photos": "Photo"}
RELATIONSHIPS = {"posted": "POSTED", "shows": "SHOWS", "follows": "FOLLOWS"}


def write(town: Town, folder: Path, report: Report) -> None:
    """Write the files in batches of users; no more of the town is in memory."""
    files = {name: (folder / f"{name}.csv").open("w") for name in HEADERS}
    try:
        for name, header in HEADERS.items():
            files[name].write(f"{header}\n")
        for start in range(0, town.users, BATCH):
            batch = range(start, min(start + BATCH, town.users))
            for name, lines in _lines(town, batch):
                files[name].writelines(lines)
            report(f"writing users: {batch.stop:,} of {town.users:,}")
    finally:
        for file in files.values():
            file.close()


def arguments(folder: Path) -> list[str]:
    """The import's arguments that name the files."""
    nodes = [f"--nodes={label}={folder / name}.csv" for name, label in NODES.items()]
    ends = [f"--relationships={kind}={folder / name}.csv" for name, kind in RELATIONSHIPS.items()]
    return [*nodes, *ends]


def _lines(town: Town, batch: range) -> Iterator[tuple[str, Iterable[str]]]:
    yield "users", (_user(town, index) for index in batch)
    yield "follows", (line for index in batch for line in _follows(town, index))
    for index in batch:
        yield from _posts(town, index)


def _user(town: Town, index: int) -> str:
    user_id, username = town.user_id(index), town.username(index)
    return (
        f"{index},{user_id},{username},{username},{town.name(index)},active,unusable,"
        f"{ms_of(user_id)},0,0\n"
    )


def _follows(town: Town, index: int) -> list[str]:
    if index < AUTHORS:
        return []
    follower_id = town.user_id(index)
    created_ms = ms_of(follower_id)
    return [
        f"{index},{followee},{follower_id},{town.user_id(followee)},{created_ms}\n"
        for followee in town.followees(index)
    ]


def _posts(town: Town, index: int) -> Iterator[tuple[str, Iterable[str]]]:
    owner_id = town.user_id(index)
    for post_id in town.post_ids(index):
        text, posted = _text(post_id), posted_ms(post_id)
        yield "posts", [f"{post_id},{post_id},{owner_id},{text},{posted}\n"]
        yield "photos", [_photo(post_id, owner_id)]
        yield "posted", [f"{index},{post_id}\n"]
        yield "shows", [f"{post_id},{post_id},0,{photo(post_id).id}\n"]


def _text(post_id: int) -> str:
    """The fields of caption and location."""
    place = location(post_id)
    if place is None:
        return f'"{caption(post_id)}",,'
    point = f'"{{latitude:{place.latitude}, longitude:{place.longitude}}}"'
    return f'"{caption(post_id)}",{place.name},{point}'


def _photo(post_id: int, owner_id: int) -> str:
    shown = photo(post_id)
    return (
        f"{post_id},{shown.id},{owner_id},{shown.path},ready,image/jpeg,3000000,"
        f'{shown.width},{shown.height},"{shown.blurhash}",{ms_of(shown.id) + PHOTO_LIFE_MS}\n'
    )
