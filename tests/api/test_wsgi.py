import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
REQUIRED = {"NEO4J_URI", "NEO4J_PASSWORD", "QUEUE_REDIS_URL", "CACHE_REDIS_URL", "CURSOR_SECRET"}


def import_wsgi(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import wsgi; print(wsgi.app.name)"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_web_process_reports_all_missing_settings() -> None:
    process = import_wsgi({})
    assert process.returncode != 0
    for name in REQUIRED:
        assert name in process.stderr


def test_the_web_process_starts_without_its_stores() -> None:
    closed_address = "127.0.0.1:1"
    process = import_wsgi(
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
        }
    )
    assert (process.returncode, process.stdout) == (0, "api.app\n"), process.stderr
