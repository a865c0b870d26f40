"""What the demo remembers between runs, and where it finds the running stack."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

API_URL = "http://127.0.0.1:8000"
SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The town's seed and everyone's password, in a file only its owner can read."""

    path: Path
    seed: int
    password: str

    @classmethod
    def load(cls, path: Path, *, seed: int | None) -> "State":
        """The state in `path`, made or changed to `seed` where needed."""
        known = json.loads(path.read_text()) if path.exists() else {}
        state = cls(
            path=path,
            seed=known.get("seed", SEED) if seed is None else seed,
            password=known.get("password") or secrets.token_urlsafe(18),
        )
        state.save()
        return state

    def save(self) -> None:
        """Write it whole, readable by its owner alone from the first byte on."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"seed": self.seed, "password": self.password}, file)
        draft.replace(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where the running stack answers."""

    api_url: str
    browser_url: str
    bolt_url: str

    @classmethod
    def find(cls, folder: Path, environ: Mapping[str, str], *, api_url: str | None) -> "Where":
        """What the command line, the environment and the running stack's own note say."""
        running = read_note(folder / "run" / "urls.json")
        return cls(
            api_url=api_url or environ.get("API_URL") or running.get("api") or API_URL,
            browser_url=environ.get("NEO4J_BROWSER_URL") or running.get("browser", ""),
            bolt_url=environ.get("NEO4J_URI") or running.get("neo4j", ""),
        )


def read_note(path: Path) -> dict[str, str]:
    """The note's entries, {} without one."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}
