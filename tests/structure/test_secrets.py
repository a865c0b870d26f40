"""No file of the repository has a secret: detect-secrets finds nothing but what is known.

.secrets.baseline has examples of the API document, hashes of files, and vectors of standards.
"""

import json
import subprocess
from pathlib import Path

import pytest
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import configure_settings_from_baseline, transient_settings

ROOT = Path(__file__).resolve().parents[2]
BASELINE = json.loads((ROOT / ".secrets.baseline").read_text())
SETTINGS = {key: BASELINE[key] for key in ("plugins_used", "filters_used")}


def found_in(folder: Path, *names: str) -> set[tuple[str, str]]:
    """The hashes of the secrets in these files of the folder, by file."""
    secrets = SecretsCollection(root=str(folder))
    with transient_settings(SETTINGS):
        configure_settings_from_baseline(BASELINE)
        secrets.scan_files(*names)
    return {(name, secret.secret_hash) for name, secret in secrets}


def files() -> list[str]:
    """What is tracked, or what a downloaded copy has without the folders of tools."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    if listed.returncode == 0:
        return listed.stdout.splitlines()
    paths = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return [str(path) for path in paths if path.parts[0] not in {".venv", ".local"}]


# Security 25
def test_no_file_of_the_repository_has_a_secret() -> None:
    known = {
        (name, secret["hashed_secret"])
        for name, secrets in BASELINE["results"].items()
        for secret in secrets
    }
    others = [name for name in files() if name != ".secrets.baseline"]  # it is made of hashes
    assert not found_in(ROOT, *others) - known


@pytest.mark.parametrize(
    "line",
    [
        "KEY = '" + "AKIA" + "QYLPMN5HHHFPZAM2" + "'",
        "-----BEGIN " + "PRIVATE KEY-----",
        "redis" + "://" + "api:s3cr3tpassw0rd@cache.example.org:6379",
        "TOKEN = '" + "ghp_" + 6 * "wWPw5k" + "'",
    ],
)
def test_a_secret_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "settings.py").write_text(f"{line}\n")
    assert found_in(tmp_path, "settings.py")
