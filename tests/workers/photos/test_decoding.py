"""Decoding in a child: the limits hold, and no process or descriptor is left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.support import heic_files, images
from tests.support.eventually import eventually
from tests.support.forked import children, fork_servers, status_of, stop_fork_servers
from workers.photos.confinement import Limits
from workers.photos.decoding import render_in_child
from workers.photos.errors import DecodingInterruptedError, ImageRefusedError
from workers.photos.imaging import RenditionSet, examine_and_render

PATIENT = Limits(wall_seconds=60.0)
"""The limits of production but for the time on the clock: the machine can be busy."""


def endless() -> bytes:
    """A picture of about 300 kB that takes minutes to decode."""
    return images.scan_bomb(2_000)


def in_background(data: bytes, **limits: float) -> "Future[RenditionSet]":
    pool = ThreadPoolExecutor(max_workers=1)
    future = pool.submit(render_in_child, data, "image/jpeg", limits=Limits(**limits))  # type: ignore[arg-type]
    pool.shutdown(wait=False)
    return future


def test_a_child_returns_the_result_of_the_pure_function() -> None:
    data = images.photograph(1600, 1200)
    assert render_in_child(data, "image/jpeg") == examine_and_render(data, "image/jpeg")


def test_the_largest_allowed_photo_fits_into_the_limits() -> None:
    data = (images.PICTURES / "forty_megapixels.heic").read_bytes()
    assert render_in_child(data, "image/heic", limits=PATIENT).width == 7_300


def test_a_crop_of_the_largest_photo_fits_into_the_limits() -> None:
    crop = heic_files.Crop(7200, 5400)
    rendered = render_in_child(heic_files.large(crop), "image/heic", limits=PATIENT)
    assert (rendered.width, rendered.height) == (7200, 5400)


def test_the_largest_png_of_16_bits_with_a_transparent_grey_fits_into_the_limits() -> None:
    transparent = images.chunk(b"tRNS", b"\0\0")
    data = images.png(
        6320, 6320, bytes((2 * 6320 + 1) * 6320), depth=16, colour_type=0, before=transparent
    )
    assert render_in_child(data, "image/png", limits=PATIENT).width == 6320


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"words", "not-an-image"),
        (images.jpeg()[:500], "truncated"),
        (images.large_png(12_000), "wrong-content-type"),
    ],
)
def test_a_refusal_comes_back_with_its_code(data: bytes, code: str) -> None:
    with pytest.raises(ImageRefusedError) as refused:
        render_in_child(data, "image/jpeg")
    assert refused.value.code == code


# Security 17
def test_a_picture_that_needs_more_memory_than_allowed_fails() -> None:
    data = (images.PICTURES / "forty_megapixels.heic").read_bytes()
    with pytest.raises(ImageRefusedError) as refused:
        render_in_child(
            data, "image/heic", limits=Limits(memory_bytes=300 << 20, wall_seconds=60.0)
        )
    assert refused.value.code == "processing-failed"


# Security 17
def test_a_picture_that_needs_more_cpu_time_than_allowed_fails() -> None:
    with pytest.raises(ImageRefusedError) as refused:
        render_in_child(endless(), "image/jpeg", limits=Limits(cpu_seconds=1, wall_seconds=60.0))
    assert refused.value.code == "processing-failed"


def test_a_child_that_takes_too_long_is_killed_and_can_be_tried_again() -> None:
    with pytest.raises(DecodingInterruptedError):
        render_in_child(endless(), "image/jpeg", limits=Limits(wall_seconds=1.0))
    assert not children()


def test_a_child_killed_from_outside_can_be_tried_again() -> None:
    future = in_background(endless())
    eventually(children)[0].kill()
    with pytest.raises(DecodingInterruptedError) as interrupted:
        future.result(timeout=20)
    assert interrupted.value.exit_code == -signal.SIGKILL
    assert not children()


def test_the_modules_that_a_photo_of_a_phone_needs_are_preloaded(tmp_path: Path) -> None:
    photos = {
        "image/heic": images.heic(),
        **{f"image/{name.lower()}": images.with_metadata(name) for name in ("JPEG", "WEBP", "GIF")},
        "image/png": images.deep_png("RGBA"),
        "image/png;turned": images.oriented(6, "PNG"),
        "image/jpeg;cmyk": images.cmyk_jpeg(),
        "image/jpeg;profile": images.in_swapped_colours("JPEG"),
        "image/jpeg;damaged": images.jpeg()[:500],
    }
    for number, (declared, data) in enumerate(photos.items()):
        (tmp_path / f"{number} {declared.replace('/', '.')}").write_bytes(data)
    script = (
        "import importlib, pathlib, sys\n"
        "from workers.photos.fork_server import PRELOADED\n"
        "for name in PRELOADED: importlib.import_module(name)\n"
        "loaded = set(sys.modules)\n"
        "from workers.photos.answers import of_picture\n"
        "for path in pathlib.Path(sys.argv[1]).iterdir():\n"
        "    declared = path.name.split()[1].split(';')[0].replace('.', '/')\n"
        "    of_picture(path.read_bytes(), declared)\n"
        "print(sorted(set(sys.modules) - loaded))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, check=True
    )
    assert ran.stdout == b"[]\n"


def test_a_child_that_crashes_is_a_refusal_of_the_picture() -> None:
    future = in_background(endless())
    eventually(children)[0].send_signal(signal.SIGSEGV)
    with pytest.raises(ImageRefusedError) as refused:
        future.result(timeout=20)
    assert refused.value.code == "processing-failed"


# Security 17
def test_a_picture_that_crashes_its_decoder_is_refused() -> None:
    with pytest.raises(ImageRefusedError) as refused:
        render_in_child(images.crashing_heic(), "image/heic")
    assert refused.value.code == "processing-failed"


def test_a_child_ignores_the_signals_that_stop_its_worker() -> None:
    future = in_background(images.scan_bomb(10), wall_seconds=60.0)
    child = eventually(children)[0]
    eventually(lambda: ignores(child.pid, signal.SIGTERM))
    child.terminate()
    child.send_signal(signal.SIGINT)
    assert future.result(timeout=20).width == 7_200


def ignores(pid: int, wanted: signal.Signals) -> bool:
    return bool(int(status_of(pid)["SigIgn"], 16) >> (wanted - 1) & 1)


def test_only_the_fork_server_requests_huge_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.perturb=0")
    stop_fork_servers()
    render_in_child(images.jpeg(), "image/jpeg")
    (server,) = fork_servers()
    # glibc replaces the colons of the variable by zero bytes
    environment = Path(f"/proc/{server.pid}/environ").read_bytes().replace(b"\0", b":")
    assert b"GLIBC_TUNABLES=glibc.malloc.hugetlb=1:" in environment
    assert b":glibc.malloc.perturb=0:" in environment
    assert os.environ["GLIBC_TUNABLES"] == "glibc.malloc.perturb=0"


def test_a_fork_server_that_was_killed_is_replaced() -> None:
    render_in_child(images.jpeg(), "image/jpeg")
    stop_fork_servers()
    assert render_in_child(images.jpeg(), "image/jpeg").width == 96


def test_no_descriptor_and_no_process_is_left() -> None:
    render_in_child(images.jpeg(), "image/jpeg")  # the fork server stays
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - of /proc only names are wanted
    processes = len(psutil.Process().children(recursive=True))
    for data in (images.jpeg(), b"words", images.jpeg(), endless()):
        with contextlib.suppress(ImageRefusedError, DecodingInterruptedError):
            render_in_child(data, "image/jpeg", limits=Limits(wall_seconds=1.0))
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert len(psutil.Process().children(recursive=True)) == processes


def test_a_job_that_times_out_while_decoding_leaves_no_child() -> None:
    class JobTimeoutError(Exception):
        pass

    def on_alarm(_signal: int, _frame: object) -> None:
        raise JobTimeoutError

    picture = endless()
    render_in_child(images.jpeg(), "image/jpeg")  # so that the fork server has started
    previous = signal.signal(signal.SIGALRM, on_alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1.0)  # as RQ's worker does
        began = time.monotonic()
        with pytest.raises(JobTimeoutError):
            render_in_child(picture, "image/jpeg", limits=Limits(cpu_seconds=60))
        assert time.monotonic() - began < 7  # without the kill the child ends after 12
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    eventually(lambda: not children())


def test_pictures_are_decoded_in_several_threads_at_once() -> None:
    stop = threading.Event()
    spinner = threading.Thread(target=stop.wait)
    spinner.start()
    try:
        futures = [in_background(images.jpeg()) for _ in range(3)]
        assert {future.result(timeout=20).width for future in futures} == {96}
    finally:
        stop.set()
        spinner.join()


def test_no_child_outlives_a_worker_that_is_killed(tmp_path: Path) -> None:
    picture = tmp_path / "endless.jpg"
    picture.write_bytes(endless())
    code = (
        "import pathlib, sys; from workers.photos.decoding import render_in_child;"
        "render_in_child(pathlib.Path(sys.argv[1]).read_bytes(), 'image/jpeg')"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code, str(picture)], cwd=Path(__file__).parents[3]
    )
    try:
        busy = eventually(decoding_child_of(worker.pid), seconds=20)
        family = psutil.Process(worker.pid).children(recursive=True)
        assert busy in family
    finally:
        worker.kill()
        worker.wait()
    eventually(lambda: not any(alive(process) for process in family), seconds=3)


def decoding_child_of(pid: int) -> Callable[[], psutil.Process | None]:
    """A check for the child that decodes: it ignores SIGTERM from then on."""

    def check() -> psutil.Process | None:
        for process in psutil.Process(pid).children(recursive=True):
            if process.ppid() != pid and ignores(process.pid, signal.SIGTERM):
                return process
        return None

    return check


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
