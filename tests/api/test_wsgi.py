import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MUST = {"NEO4J_URI", "NEO4J_PASSWORD", "QUEUE_REDIS_URL", "CACHE_REDIS_URL", "CURSOR_SECRET"}


def imported(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import wsgi; print(wsgi.app.name)"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_settings_the_web_process_says_all_that_is_missing() -> None:
    done = imported({})
    assert done.returncode != 0
    for name in MUST:
        assert name in done.stderr


def test_the_web_process_starts_before_its_stores_do() -> None:
    nobody = "127.0.0.1:1"
    done = imported(
        {
            "NEO4J_URI": f"bolt://{nobody}",
            "NEO4J_PASSWORD": "x",
            "QUEUE_REDIS_URL": f"redis://{nobody}",
            "CACHE_REDIS_URL": f"redis://{nobody}",
            "S3_ENDPOINT_URL": f"http://{nobody}",
            "S3_BUCKET": "photofeed",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "MEDIA_BASE_URL": f"http://{nobody}",
            "CURSOR_SECRET": "0123456789abcdef",
        }
    )
    assert (done.returncode, done.stdout) == (0, "api.app\n"), done.stderr
