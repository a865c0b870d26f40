"""Partitions of the users: all keys of a user carry the hash tag of the user's partition.

On a Redis Cluster a partition is one slot, so a script about one user stays on one node. On one
server the tags mean nothing.
"""

COUNT = 64
"""Partitions. 64 keep the announcement of a change to all of them cheap."""

_TAGS = (
    "afj afb aa2 afs ac0 ac8 adh ab3 aac aak aar aaz abj abb aca abs "
    "afk afc aa3 afr ac1 ac9 adi ab2 aab aaj aas af2 abk abc abz abr "
    "afh afd aa0 aa8 ac2 ads ab9 ab1 aaa aai aap aax abh abd aby abq "
    "afi afa aa1 aa9 ac3 adr ab8 ab0 aad aah aaq aay abi aba abx abp"
)

TAGS = tuple(_TAGS.split())
"""The hash tag of each partition. Tag k lies in the kth run of 256 slots, so the partitions spread
evenly over any number of masters. Found by search: each is the first text of three characters of
a-z and 0-9 in its run. They never change: keys in the cache contain them."""

TAG_BYTES = tuple(tag.encode() for tag in TAGS)
"""The same as bytes, for packed commands."""

KEY = b"%b:{%b}%014x"
"""The key of a fact of one user. Of fixed width, so that commands can be packed by formatting."""


def partition_of(user_id: int) -> int:
    """The number of the user's partition. The low bits of an id are random."""
    return user_id % COUNT


def key_of(prefix: bytes, user_id: int) -> bytes:
    """The key of this kind of the user, for example `tl:{aa2}` and the user's id."""
    return KEY % (prefix, TAG_BYTES[user_id % COUNT], user_id)


def tag_of(user_id: int) -> bytes:
    """The hash tag of the user's partition, without braces."""
    return TAG_BYTES[user_id % COUNT]
