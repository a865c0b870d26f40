"""pywebpush as a process: each line of JSON names a method and its arguments.

Runs in its own environment.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

os.environ["NO_PROXY"] = "127.0.0.1"  # before requests reads it

import requests
from pywebpush import webpush


def send(
    *,
    subscriptions: Sequence[Mapping[str, Any]],
    text: str,
    private_key: str,
    subject: str,
    seconds: float,
) -> Any:
    """Send the text to the subscriptions in turn, on one kept connection, for some seconds."""
    count, cpu, began = 0, time.process_time(), time.perf_counter()
    with requests.Session() as session:
        while time.perf_counter() - began < seconds:
            webpush(
                dict(subscriptions[count % len(subscriptions)]),
                text,
                vapid_private_key=private_key,
                vapid_claims={"sub": subject},
                ttl=600,
                timeout=5,
                requests_session=session,
            )
            count += 1
    elapsed = time.perf_counter() - began
    return {"messages": count, "seconds": elapsed, "cpu": time.process_time() - cpu}


def main() -> None:
    """Answers requests until standard input ends."""
    for line in sys.stdin:
        arguments = json.loads(line)
        arguments.pop("method")
        print(json.dumps(send(**arguments)), flush=True)


if __name__ == "__main__":
    main()
