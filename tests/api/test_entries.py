import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = {"wsgi": "Flask", "asgi": "AsgiApp"}
REQUIRED = {"NEO4J_URI", "NEO4J_PASSWORD", "QUEUE_REDIS_URL", "CACHE_REDIS_URL"}
REQUIRED |= {"CURSOR_SECRET", "TOKEN_KEYS"}


def import_entry(entry: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import {entry}; print(type({entry}.app).__name__)"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("entry", APPS)
def test_the_web_process_reports_all_missing_settings(entry: str) -> None:
    process = import_entry(entry, {})
    assert process.returncode != 0
    for name in REQUIRED:
        assert name in process.stderr


@pytest.mark.parametrize("entry", APPS)
def test_the_web_process_starts_without_its_stores(entry: str) -> None:
    closed_address = "127.0.0.1:1"
    process = import_entry(
        entry,
        {
            "NEO4J_URI": f"bolt://{closed_address}",
            "NEO4J_PASSWORD": "x",
            "QUEUE_REDIS_URL": f"redis://{closed_address}",
            "CACHE_REDIS_URL": f"redis://{closed_address}",
            "S3_ENDPOINT_URL": f"http://{closed_address}",
            "S3_BUCKET": "photofeed",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "MEDIA_BASE_URL": f"http://{closed_address}",
            "CURSOR_SECRET": "0123456789abcdef",
            "TOKEN_KEYS": "0123456789abcdef01234567",
        },
    )
    assert (process.returncode, process.stdout) == (0, f"{APPS[entry]}\n"), process.stderr
