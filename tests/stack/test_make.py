import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INTERNAL = {"help", "packages", "tools", "python"}


def make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "elsewhere"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_make_alone_lists_every_command() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    listed = set(re.findall(r"^  make ([a-z-]+) ", make().stdout, flags=re.MULTILINE))
    assert targets - INTERNAL == listed - INTERNAL
    assert {"up", "down", "status", "logs", "test", "check", "format", "lock", "demo"} <= listed


def test_a_python_that_is_too_old_is_an_error_message(tmp_path: Path) -> None:
    old = tmp_path / "python3.8"
    old.write_text(f"#!/bin/sh\nprintenv PYTHONPATH >> {tmp_path}/path\nexit 1\n")
    old.chmod(0o755)
    refused = make(f"PYTHON={old}", "up")
    assert refused.returncode != 0
    assert "photofeed needs Python 3.11 or newer" in refused.stderr
    assert "make PYTHON=" in refused.stderr
    assert (tmp_path / "path").read_text() == ""  # PYTHONPATH is not passed on


def test_the_ci_script_runs_the_checks_all_tests_and_the_proofs_of_the_bench() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert "set -euo pipefail" in script
    assert [line for line in script.splitlines() if line.startswith("make")] == [
        "make check",
        "make sbom",
        "make test",
        "make test-system",
        "make bench-quick || make bench-quick",
    ]
    assert "if command -v npm >/dev/null; then\n  make lint-openapi\nelse" in script
    assert re.search(r"^make test\b", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
