"""stack/setup.py in a temporary checkout, with requirements that need no network."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNAVAILABLE = "nothing-by-this-name==1.0 --hash=sha256:" + "0" * 64 + "\n"


@pytest.fixture(scope="module")
def checkout_with_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a complete .venv."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "stack").mkdir()
    shutil.copy(ROOT / "stack" / "setup.py", folder / "stack")
    write_requirements(folder)
    first = setup(folder)
    assert (first.returncode, has_pip(folder)) == (0, True), first.stderr
    assert "Making .venv" in first.stdout
    return folder


@pytest.fixture
def checkout(checkout_with_venv: Path) -> Path:
    """The same checkout, with the requirements that .venv was built from."""
    write_requirements(checkout_with_venv)
    return checkout_with_venv


def write_requirements(folder: Path) -> None:
    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / "requirements-dev.txt").write_text("# nothing\n")


def setup(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    # Latin-1 lacks `…`; in a .venv pip fails where PIP_USER is set.
    env |= {"PIP_NO_INDEX": "1", "PIP_USER": "1", "PYTHONIOENCODING": "latin-1"}
    return subprocess.run(
        [sys.executable, "-P", "stack/setup.py", *words],
        cwd=checkout,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def has_pip(checkout: Path) -> bool:
    return subprocess.call([checkout / ".venv/bin/python", "-c", "import pip"]) == 0


def test_a_venv_that_is_up_to_date_is_not_changed(checkout: Path) -> None:
    again = setup(checkout)
    assert (again.returncode, again.stdout) == (0, "")


def test_a_missing_package_is_an_error_message_and_leaves_venv_incomplete(checkout: Path) -> None:
    (checkout / "requirements.txt").write_text(UNAVAILABLE)
    failed = setup(checkout)
    assert failed.returncode == 1
    assert "nothing-by-this-name" in failed.stdout
    assert "Is this machine online?" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert setup(checkout).returncode == 1  # the next run does not take it for complete


def test_the_tools_are_installed_on_request_only(checkout: Path) -> None:
    (checkout / "requirements-dev.txt").write_text(UNAVAILABLE)
    assert setup(checkout).returncode == 0
    assert setup(checkout, "--tools").returncode == 1


def test_a_venv_is_made_anew_after_an_interruption(checkout: Path) -> None:
    (checkout / ".venv" / "half-built").touch()  # as after a kill
    (checkout / ".venv" / "remains").touch()
    assert setup(checkout).returncode == 0
    assert has_pip(checkout)
    assert not (checkout / ".venv" / "remains").exists()
    assert not (checkout / ".venv" / "half-built").exists()


def test_a_venv_of_another_checkout_is_not_emptied_by_a_link(
    checkout: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    (other / "stack").mkdir(parents=True)
    shutil.copy(ROOT / "stack" / "setup.py", other / "stack")
    write_requirements(other)
    (other / ".venv").symlink_to(checkout / ".venv")
    refused = setup(other)
    assert refused.returncode == 1
    assert "rm .venv" in refused.stderr
    assert has_pip(checkout)


def test_a_make_waits_while_another_process_has_the_lock(checkout: Path) -> None:
    with (checkout / ".local" / "setup.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = subprocess.Popen(
            [sys.executable, "-P", "stack/setup.py"], cwd=checkout, stdout=subprocess.PIPE
        )
        assert waiting.stdout
        assert b"Another make is making .venv" in waiting.stdout.readline()
        assert waiting.poll() is None
    assert waiting.wait(timeout=60) == 0
    waiting.stdout.close()


def test_the_requirements_name_no_package_index() -> None:
    for path in ROOT.glob("requirements*"):
        text = path.read_text()
        assert "://" not in text, path
        assert "--index" not in text, path
        assert "--find-links" not in text, path
    pins = (ROOT / "requirements.txt").read_text()
    assert pins.count("==") <= pins.count("--hash=")
