"""The script of docs/api-walk.md, against the running API."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.images import SECRET, looks_right, photograph
from tests.support.supervised_stack import SupervisedStack

WALK = Path(__file__).resolve().parents[3] / "docs" / "walk.sh"
BASH = str(shutil.which("bash"))
"""Named where the PATH of the script lacks it."""
ADDRESSES = {"API", "API_URL", "STACK_FOLDER"}
"""The variables from which the walk learns where the API is."""
TOOLS = {"curl", "python3", *("dirname", "mktemp", "rm", "sed", "seq", "sleep", "tr", "wc")}


def run(*command: str | Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The finished command, in an environment without other addresses of the API."""
    others = {name: value for name, value in os.environ.items() if name not in ADDRESSES}
    return subprocess.run(
        command, env={**others, **env}, capture_output=True, text=True, timeout=170, check=False
    )


def walk(services: SupervisedStack, *picture: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run(WALK, *picture, env={"API": services.url, **env})


def test_the_walk_reaches_its_end(services: SupervisedStack, tmp_path: Path) -> None:
    out = tmp_path / "seen.jpg"
    done = walk(services, OUT=str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "His feed no longer has it" in done.stdout
    assert out.read_bytes().startswith(b"\xff\xd8\xff")


def test_the_walk_shows_a_phones_photo_upright(services: SupervisedStack, tmp_path: Path) -> None:
    picture, out = tmp_path / "IMG_0001.JPG", tmp_path / "seen.jpg"
    picture.write_bytes(photograph(3000, 4000))
    done = walk(services, str(picture), OUT=str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ready: 3000 x 4000, upright" in done.stdout
    assert looks_right(out.read_bytes())
    assert SECRET not in out.read_bytes()


@pytest.mark.parametrize("content", [b"", b"no picture at all, whatever its name says"])
def test_the_walk_ends_at_the_first_error(
    services: SupervisedStack, tmp_path: Path, content: bytes
) -> None:
    picture = tmp_path / "odd.jpg"
    picture.write_bytes(content)
    done = walk(services, str(picture))
    assert done.returncode != 0
    assert "not-an-image" in done.stderr or "422" in done.stderr
    assert "7. She posts it" not in done.stdout


def checkout(folder: Path, api_url: str = "") -> Path:
    """The script in a folder of its own, with the environment file of a running stack if any."""
    script = folder / "docs" / "walk.sh"
    script.parent.mkdir()
    shutil.copy(WALK, script)
    if api_url:
        env_file = folder / ".local" / "run" / "stack.env"
        env_file.parent.mkdir(parents=True)
        env_file.write_text(f"ADMIN_PORT=1\nAPI_URL={api_url}\nOTHER_API_URL=wrong\n")
    return script


def path_of_tools(folder: Path, *, without: str) -> str:
    """A PATH with all tools of the walk except one."""
    folder.mkdir()
    for name in TOOLS - {without}:
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


def free_address() -> str:
    """A host and port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def test_the_walk_finds_the_running_stack_and_uses_no_proxy_to_it(
    services: SupervisedStack, tmp_path: Path
) -> None:
    script = checkout(tmp_path, services.url)
    done = run(BASH, script, env={"http_proxy": f"http://{free_address()}"})
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_walk_uses_the_python_of_the_checkout_if_there_is_no_other(
    services: SupervisedStack, tmp_path: Path
) -> None:
    script = checkout(tmp_path, services.url)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    done = run(BASH, script, env={"PATH": path_of_tools(tmp_path / "bin", without="python3")})
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_walk_reports_in_one_sentence_that_no_api_runs(tmp_path: Path) -> None:
    url = f"http://{free_address()}"
    done = run(BASH, checkout(tmp_path, url), env={})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Nothing answers at {url}: start it with make up\n"


def test_the_walk_uses_port_8000_without_an_environment_file(tmp_path: Path) -> None:
    path = path_of_tools(tmp_path / "bin", without="curl")
    (Path(path) / "curl").symlink_to(str(shutil.which("false")))
    done = run(BASH, checkout(tmp_path), env={"PATH": path})
    assert done.stderr == "Nothing answers at http://127.0.0.1:8000: start it with make up\n"


@pytest.mark.parametrize("missing", ["curl", "python3"])
def test_the_walk_names_a_tool_that_is_missing(tmp_path: Path, missing: str) -> None:
    path = path_of_tools(tmp_path / "bin", without=missing)
    done = run(BASH, checkout(tmp_path), env={"PATH": path})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"The walk needs {missing}, which is ")
    assert done.stderr.count("\n") == 1
