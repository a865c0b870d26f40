"""What the demo stores between runs, and the addresses of the running stack."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from environs import Env

from stack import env_file
from stack.commands.tables import browser_url
from stack.secrets import write_private

API_URL = "http://127.0.0.1:8000"
SEED = 1


def stack_folder(root: Path) -> Path:
    """The folder of the stack of this checkout. The environment takes precedence over `.env`."""
    env = Env()
    if (root / ".env").exists():
        env.read_env(str(root / ".env"), recurse=False)
    return Path(env.str("STACK_FOLDER", "") or root / ".local")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The town's seed and the password of all its accounts, in a file that only its owner reads."""

    path: Path
    seed: int
    password: str

    @classmethod
    def load(cls, path: Path, *, seed: int | None) -> "State":
        """The state in `path`, created if it is missing; `seed` replaces the stored seed."""
        stored = json.loads(path.read_text()) if path.exists() else {}
        state = cls(
            path=path,
            seed=stored.get("seed", SEED) if seed is None else seed,
            password=stored.get("password") or secrets.token_urlsafe(18),
        )
        state.save()
        return state

    def save(self) -> None:
        """Replace the file atomically, with mode 600."""
        write_private(self.path, json.dumps({"seed": self.seed, "password": self.password}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of the running stack."""

    api_url: str
    browser_url: str
    """Neo4j Browser with its form filled in, without the password; empty if there is none."""

    @classmethod
    def find(cls, folder: Path, environ: Mapping[str, str], *, api_url: str | None) -> "Addresses":
        """The addresses of the stack in `folder`, else those of the environment.

        `api_url`, of the command line, takes precedence over both. The environment comes last, as
        its variables may be those of another stack.
        """
        env = {**environ, **read_env_file(folder)}
        return cls(
            api_url=(api_url or env.get("API_URL") or API_URL).rstrip("/"),
            browser_url=browser_url(env),
        )


def read_env_file(folder: Path) -> dict[str, str]:
    """The environment file of the stack in `folder`; empty if there is none to read."""
    try:
        return env_file.read(folder) or {}
    except OSError:
        return {}
