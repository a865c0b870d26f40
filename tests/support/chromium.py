"""A headless Chromium, driven by the DevTools protocol over a pair of pipes."""

import base64
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
REPLY_SECONDS = 60.0
"""The longest time for a reply on a busy machine."""


class Chromium:
    """One browser with a profile of its own. A context manager."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile
        self._replies: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        assert PROGRAM
        (commands, self._commands), (self._answers, answers) = os.pipe(), os.pipe()
        shell = f'exec "$@" 3<&{commands} 4>&{answers}'
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        self._process = subprocess.Popen(
            [
                "bash",
                "-c",
                shell,
                "chromium",
                PROGRAM,
                *options,
                f"--user-data-dir={self._profile}",
            ],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(REPLY_SECONDS)
        os.close(self._commands)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """The result of a command. Raises RuntimeError with the browser's error."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        replies = self._replies[number] = queue.Queue()
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        reply = replies.get(timeout=REPLY_SECONDS)
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error']}")
        return dict(reply["result"])

    def open(self, url: str) -> "Page":
        """A new page."""
        target = self.call("Target.createTarget", url=url)["targetId"]
        return Page(self, target)

    def targets(self, kind: str) -> list[str]:
        """The ids of the targets of a type, such as `service_worker`."""
        found = self.call("Target.getTargets", filter=[{}])["targetInfos"]
        return [target["targetId"] for target in found if target["type"] == kind]

    def _read(self) -> None:
        rest = b""
        while data := os.read(self._answers, 1_000_000):
            *texts, rest = (rest + data).split(b"\0")
            for message in map(json.loads, texts):
                if "id" in message:
                    self._replies.pop(message["id"]).put(message)
                else:
                    self.events.append(message)
        os.close(self._answers)


class Page:
    """A page, or a service worker."""

    def __init__(self, browser: Chromium, target: str) -> None:
        self.browser = browser
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def run(self, script: str) -> Any:
        """The value of an expression, awaited. Raises RuntimeError if it throws."""
        result = self.call(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"])[:2_000])
        return result["result"].get("value")

    def screenshot(self, file: Path) -> None:
        """Write what the page shows as PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextmanager
def chromium(profile: Path) -> Iterator[Chromium]:
    """A browser that is closed at the end."""
    with Chromium(profile) as browser:
        yield browser
