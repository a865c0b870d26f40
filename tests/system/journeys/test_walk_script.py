import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.images import SECRET, looks_right, photograph
from tests.support.running import Running

WALK = Path(__file__).resolve().parents[3] / "docs" / "walk.sh"
NOT_TOLD = {"API", "API_URL", "STACK_FOLDER"}
TOOLS = {"curl", "python3", *("dirname", "mktemp", "rm", "sed", "seq", "sleep", "tr", "wc")}


def free_address() -> str:
    """Host and port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"


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


def checkout(folder: Path, api_url: str = "") -> Path:
    """A folder with the walk alone, and the note of a running stack if it is to find one."""
    script = folder / "docs" / "walk.sh"
    script.parent.mkdir()
    shutil.copy(WALK, script)
    if api_url:
        note = folder / ".local" / "run" / "stack.env"
        note.parent.mkdir(parents=True)
        note.write_text(f"ADMIN_PORT=1\nAPI_URL={api_url}\nOTHER_API_URL=wrong\n")
    return script


def start(script: Path, path: str | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
    """The walk without any word on where the API is."""
    environ = {name: value for name, value in os.environ.items() if name not in NOT_TOLD}
    return subprocess.run(
        [str(shutil.which("bash")), str(script)],
        env={**environ, **({"PATH": path} if path else {}), **extra},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def tools(folder: Path, *, without: str) -> str:
    """A PATH with the walk's tools but for one."""
    folder.mkdir()
    for name in TOOLS - {without}:
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


def test_the_walk_finds_the_running_stack_and_needs_no_proxy_to_it(
    running: Running, tmp_path: Path
) -> None:
    script = checkout(tmp_path, running.url)
    done = start(script, http_proxy=f"http://{free_address()}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_walk_takes_the_python_of_the_checkout_where_there_is_no_other(
    running: Running, tmp_path: Path
) -> None:
    script = checkout(tmp_path, running.url)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    done = start(script, tools(tmp_path / "bin", without="python3"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_walk_says_in_one_sentence_that_nothing_answers(tmp_path: Path) -> None:
    url = f"http://{free_address()}"
    done = start(checkout(tmp_path, url))
    said = (done.returncode, done.stdout, done.stderr)
    assert said == (1, "", f"Nothing answers at {url}: start it with make up\n")


def test_the_walk_looks_at_the_usual_port_without_a_note(tmp_path: Path) -> None:
    fake = tools(tmp_path / "bin", without="curl")
    (Path(fake) / "curl").symlink_to(str(shutil.which("false")))
    done = start(checkout(tmp_path), fake)
    assert done.stderr == "Nothing answers at http://127.0.0.1:8000: start it with make up\n"


@pytest.mark.parametrize("missing", ["curl", "python3"])
def test_the_walk_says_which_tool_it_misses(tmp_path: Path, missing: str) -> None:
    done = start(checkout(tmp_path), tools(tmp_path / "bin", without=missing))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"The walk needs {missing}, which is ")
    assert done.stderr.count("\n") == 1
