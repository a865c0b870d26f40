"""The dictionary of bodies: the script makes the file again, and it compresses other posts."""

import json
import re
from collections import Counter

from bench.samples.posts import MEDIA, sample_bodies
from bench.train_dictionary import train
from storage.body_format import DICTIONARIES, FOLDER, decode, encode


def test_the_script_makes_the_file_in_the_repository_again() -> None:
    """With another release of zstandard this can fail: then train the next version with it."""
    newest = DICTIONARIES[-1].version
    assert train(newest) == (FOLDER / f"bodies-{newest}.zdict").read_bytes()


def test_the_dictionary_favours_no_host() -> None:
    data = (FOLDER / f"bodies-{DICTIONARIES[-1].version}.zdict").read_bytes()
    assert MEDIA.encode() not in data
    hosts = re.findall(rb"https?://([^/\"]+)/", data)
    assert len(hosts) > 20
    assert max(Counter(hosts).values()) <= 3, "the three URLs of one photo"


def test_samples_are_different_bodies_of_one_to_ten_photos() -> None:
    samples = sample_bodies(7, 600, half=1)
    posts = [json.loads(sample) for sample in samples]
    assert len({post["id"] for post in posts}) == 600
    assert {len(post["photos"]) for post in posts} >= set(range(1, 7))
    assert len({post["photos"][0]["renditions"]["640"].split("/")[2] for post in posts}) > 500
    assert any(post["location"] for post in posts)
    assert not all(post["location"] for post in posts)


def test_other_posts_shrink_to_less_than_a_third_and_are_read_again() -> None:
    samples = sample_bodies(8, 500, half=1)
    values = [encode(sample) for sample in samples]
    assert [decode(value) for value in values] == samples
    assert sum(map(len, values)) < sum(map(len, samples)) / 3
