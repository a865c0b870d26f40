import binascii
import itertools
import string

from storage.redis.partitions import COUNT, TAGS, partition_of, tag_of

SLOTS = 16_384
RUN = SLOTS // COUNT


def slot_of(tag: str) -> int:
    """The slot that a Redis Cluster computes for a hash tag: CRC-16 (XMODEM)."""
    return binascii.crc_hqx(tag.encode(), 0) % SLOTS


def test_each_partition_has_a_tag_in_its_own_run_of_slots() -> None:
    assert [slot_of(tag) // RUN for tag in TAGS] == list(range(COUNT))


def test_each_tag_is_the_first_of_its_run() -> None:
    first: dict[int, str] = {}
    for letters in itertools.product(string.ascii_lowercase + string.digits, repeat=3):
        first.setdefault(slot_of("".join(letters)) // RUN, "".join(letters))
    assert tuple(first[number] for number in range(COUNT)) == TAGS


def test_a_user_has_the_tag_of_their_partition() -> None:
    for user_id in (0, 1, 63, 64, 2**53 - 1):
        assert tag_of(user_id) == TAGS[partition_of(user_id)].encode()
