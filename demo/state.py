"""What the demo remembers between runs, and where it finds the running stack."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from environs import Env

API_URL = "http://127.0.0.1:8000"
SEED = 1


def stack_folder(root: Path) -> Path:
    """Where the stack of this checkout keeps its things; found as the stack itself does.

    The environment goes before `.env`.
    """
    env = Env()
    if (root / ".env").exists():
        env.read_env(str(root / ".env"), recurse=False)
    return Path(env.str("STACK_FOLDER", "") or root / ".local")


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
    """Neo4j Browser with its form filled in but for the password, or nothing."""

    @classmethod
    def find(cls, folder: Path, environ: Mapping[str, str], *, api_url: str | None) -> "Where":
        """What the command line, the running stack's own note and the environment say.

        The note goes before what is exported, which may be of another day or another stack.
        """
        told = {**environ, **read_note(folder / "run" / "stack.env")}
        browser = told.get("NEO4J_BROWSER_URL", "")
        scheme, _, address = told.get("NEO4J_URI", "bolt://127.0.0.1:7687").partition("://")
        login = quote(f"{scheme}://{told.get('NEO4J_USER', 'neo4j')}@{address}", safe=":/@")
        return cls(
            api_url=(api_url or told.get("API_URL") or API_URL).rstrip("/"),
            browser_url=f"{browser}?connectURL={login}" if browser else "",
        )


def read_note(path: Path) -> dict[str, str]:
    """The note's lines NAME=value, {} without one."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return {name: value for name, _, value in (line.partition("=") for line in lines)}
