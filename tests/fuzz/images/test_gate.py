"""A short fuzz of the image gate; `make fuzz-images` is the long one."""

import os
import random

import psutil

from tests.fuzz.images.corpus import files
from tests.fuzz.images.gate import READY, fuzz
from tests.fuzz.images.mutation import mangled
from workers.photos.confinement import Limits
from workers.photos.imaging import FORMATS


# Security 17
def test_mangled_pictures_of_all_formats_harm_nobody() -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"SEED={seed}")
    fuzz(seed, seconds=0)  # starts the fork server
    descriptors = len(os.listdir("/dev/fd"))  # noqa: PTH208
    processes = len(psutil.Process().children(recursive=True))
    report = fuzz(seed, seconds=20)
    assert not report.findings, report.text()
    assert report.peak_bytes <= Limits().memory_bytes
    assert len(os.listdir("/dev/fd")) == descriptors  # noqa: PTH208
    assert len(psutil.Process().children(recursive=True)) == processes


def test_the_corpus_has_shown_pictures_of_every_format() -> None:
    report = fuzz(1, seconds=600, most_files=len(files()))
    assert not report.findings, report.text()
    shown = {declared for (declared, outcome), _ in report.outcomes.items() if outcome == READY}
    assert shown == FORMATS.keys()


def test_a_seed_mangles_alike() -> None:
    for file in files():
        first, second = (
            mangled(random.Random(7), file.data, file.declared, [file.data]) for _ in range(2)
        )
        assert first == second
