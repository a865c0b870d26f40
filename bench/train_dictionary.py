"""`python -m bench.train_dictionary VERSION`: train the dictionary of the bodies in the cache.

Writes storage/dictionaries/bodies-VERSION.zdict from posts that are drawn from a seed, and prints
its digest for storage/body_format.py. The same version of zstandard gives the same bytes.
"""

import argparse
import hashlib
from collections.abc import Sequence

import zstandard

from bench.samples.posts import sample_bodies
from storage.body_format import FOLDER, LEVEL

SEED = 1
SAMPLES = 5_000
DICTIONARY_BYTES = 32 * 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the file and print its digest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", type=int, help="1 to 31; a new dictionary has a new number")
    version = parser.parse_args(arguments).version
    data = train(version)
    file = FOLDER / f"bodies-{version}.zdict"
    file.write_bytes(data)
    print(f"{file}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


def train(version: int) -> bytes:
    """The dictionary of a version. Its id is the version."""
    trained = zstandard.train_dictionary(
        DICTIONARY_BYTES,
        [*sample_bodies(SEED, SAMPLES, half=0)],
        level=LEVEL,
        dict_id=version,
    )
    return trained.as_bytes()


if __name__ == "__main__":
    main()
