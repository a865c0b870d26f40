"""stack/setup.py in a checkout of the test's own, with requirements that need no network."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "nothing-by-this-name==1.0 --hash=sha256:" + "0" * 64 + "\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose .venv has been made."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "stack").mkdir()
    shutil.copy(ROOT / "stack" / "setup.py", folder / "stack")
    write_requirements(folder)
    first = setup(folder)
    assert (first.returncode, runs(folder)) == (0, True), first.stderr
    assert "Making .venv" in first.stdout
    return folder


@pytest.fixture
def checkout(made: Path) -> Path:
    """The same, its requirements as when it was made."""
    write_requirements(made)
    return made


def write_requirements(folder: Path) -> None:
    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / "requirements-dev.txt").write_text("# nothing\n")


def setup(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    # Latin-1 has no `…`; a person's PIP_USER would be an error in a .venv.
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


def runs(checkout: Path) -> bool:
    return subprocess.call([checkout / ".venv/bin/python", "-c", "import pip"]) == 0


def test_a_venv_that_is_up_to_date_is_left_alone(checkout: Path) -> None:
    again = setup(checkout)
    assert (again.returncode, again.stdout) == (0, "")


def test_a_package_that_cannot_be_had_is_a_sentence_and_no_whole_venv(checkout: Path) -> None:
    (checkout / "requirements.txt").write_text(NOWHERE)
    failed = setup(checkout)
    assert failed.returncode == 1
    assert "nothing-by-this-name" in failed.stdout
    assert "Is this machine online?" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert setup(checkout).returncode == 1  # it is not taken for whole the next time


def test_the_tools_are_a_second_layer(checkout: Path) -> None:
    (checkout / "requirements-dev.txt").write_text(NOWHERE)
    assert setup(checkout).returncode == 0
    assert setup(checkout, "--tools").returncode == 1


def test_a_venv_whose_making_was_interrupted_is_made_anew(checkout: Path) -> None:
    (checkout / ".venv" / "half-built").touch()  # as a run that was killed leaves it
    (checkout / ".venv" / "remains").touch()
    assert setup(checkout).returncode == 0
    assert runs(checkout)
    assert not (checkout / ".venv" / "remains").exists()
    assert not (checkout / ".venv" / "half-built").exists()


def test_a_make_waits_for_what_a_killed_one_has_left_running(checkout: Path) -> None:
    with (checkout / ".local" / "setup.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = subprocess.Popen(
            [sys.executable, "-P", "stack/setup.py"], cwd=checkout, stdout=subprocess.PIPE
        )
        assert waiting.stdout
        assert b"Another make is making .venv" in waiting.stdout.readline()
        assert waiting.poll() is None
    assert waiting.wait(timeout=60) == 0
    waiting.stdout.close()


def test_the_requirements_name_no_place_but_the_registry_of_the_reader() -> None:
    for path in ROOT.glob("requirements*"):
        text = path.read_text()
        assert "://" not in text, path
        assert "--index" not in text, path
        assert "--find-links" not in text, path
    pins = (ROOT / "requirements.txt").read_text()
    assert pins.count("==") <= pins.count("--hash=")
