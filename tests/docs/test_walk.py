import os
import subprocess
from pathlib import Path

import pytest

from tests.images import SECRET, looks_right, photograph
from tests.running import Running

WALK = Path(__file__).resolve().parents[2] / "docs" / "walk.sh"


def walk(running: Running, *picture: str, **extra: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "API": running.url, **extra}
    return subprocess.run(
        [str(WALK), *picture], env=environ, capture_output=True, text=True, timeout=170, check=False
    )


def test_the_walk_reaches_its_end(running: Running, tmp_path: Path) -> None:
    out = tmp_path / "seen.jpg"
    done = walk(running, OUT=str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "His feed no longer has it" in done.stdout
    assert out.read_bytes().startswith(b"\xff\xd8\xff")


def test_the_walk_shows_a_phones_photo_upright(running: Running, tmp_path: Path) -> None:
    picture, out = tmp_path / "IMG_0001.JPG", tmp_path / "seen.jpg"
    picture.write_bytes(photograph(3000, 4000))
    done = walk(running, str(picture), OUT=str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ready: 3000 x 4000, upright" in done.stdout
    assert looks_right(out.read_bytes())
    assert SECRET not in out.read_bytes()


@pytest.mark.parametrize("content", [b"", b"no picture at all, whatever its name says"])
def test_the_walk_ends_where_something_is_wrong(
    running: Running, tmp_path: Path, content: bytes
) -> None:
    picture = tmp_path / "odd.jpg"
    picture.write_bytes(content)
    done = walk(running, str(picture))
    assert done.returncode != 0
    assert "not-an-image" in done.stderr or "422" in done.stderr
    assert "7. She posts it" not in done.stdout
