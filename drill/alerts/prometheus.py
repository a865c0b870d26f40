"""A real Prometheus on loopback, which scrapes the stage's admin app and evaluates the rules."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests
import yaml

from drill.alerts.rules import fast_rules
from operators.admin.app import USER
from stack import StackError
from stack.parts.part import Program
from stack.ports import HOST

INTERVAL_SECONDS = 4
"""Between two scrapes. The admin app answers within three seconds while a store is away."""
ANSWER_SECONDS = 10.0
MISSING = "Prometheus is not installed: this drill needs its program `prometheus` on the PATH."


class Prometheus(Program):
    """A server with a folder of its own."""

    name = "prometheus"
    start_seconds = 60.0

    def __init__(self, folder: Path, *, port: int, admin_url: str, admin_password: str) -> None:
        """Raises StackError if the program is not installed."""
        program = shutil.which("prometheus")
        if program is None:
            raise StackError(MISSING)
        self.url = f"http://{HOST}:{port}"
        self._program = program
        self._folder = folder
        self._address = f"{HOST}:{port}"
        self._target = admin_url.removeprefix("http://")
        self._password = admin_password

    def prepare(self) -> None:
        """Write the configuration, and the password into a file that only its owner reads."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)
        password = self._folder / "password"
        password.touch(mode=0o600)
        password.write_text(self._password)
        (self._folder / "rules.yml").write_text(yaml.safe_dump(fast_rules()))
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(self._config(password)))

    def command(self) -> Sequence[str]:
        """The server on loopback, with its data in the folder."""
        return [
            self._program,
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={self._address}",
            "--log.level=warn",
        ]

    def environment(self) -> Mapping[str, str]:
        """Nothing of the stack's."""
        return {}

    def problem(self) -> str | None:
        """Why it does not answer, or None."""
        try:
            answer = requests.get(f"{self.url}/-/ready", timeout=ANSWER_SECONDS)
        except requests.RequestException:
            return "it does not answer yet"
        return None if answer.ok else f"it answers {answer.status_code}"

    def firing(self) -> set[str]:
        """The names of the alerts that fire now. Raises requests.RequestException."""
        answer = requests.get(f"{self.url}/api/v1/alerts", timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        alerts = answer.json()["data"]["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}

    def _config(self, password: Path) -> dict[str, object]:
        every = f"{INTERVAL_SECONDS}s"
        return {
            "global": {
                "scrape_interval": every,
                "scrape_timeout": every,
                "evaluation_interval": every,
            },
            "rule_files": [str(self._folder / "rules.yml")],
            "scrape_configs": [
                {
                    "job_name": "photofeed",
                    "basic_auth": {"username": USER, "password_file": str(password)},
                    "static_configs": [{"targets": [self._target]}],
                }
            ],
        }
