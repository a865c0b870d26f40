"""`make sbom`: adds Neo4j's jars to a CycloneDX bill of materials of the Python packages."""

import json
import os
from pathlib import Path
from typing import Any

from stack.errors import StackError
from stack.parts.jars import Jar, read_lock


def add_jars(path: Path) -> int:
    """Add a component for each jar of the lock; returns their number. Repeating it is safe.

    Raises StackError if the file is no bill of materials.
    """
    try:
        bill = json.loads(path.read_text())
        others = [one for one in bill["components"] if not _is_jar(one)]
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(f"{path} is no bill of materials in CycloneDX's JSON.") from error
    jars = [component(jar) for jar in read_lock()]
    bill["components"] = others + jars
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(bill, indent=2) + os.linesep)
    draft.replace(path)
    return len(jars)


def component(jar: Jar) -> dict[str, Any]:
    """A jar as CycloneDX 1.6 has a component, with its package URL."""
    group, name, version, *classifier = jar.coordinate.split(":")
    qualifier = f"?classifier={classifier[0]}" if classifier else ""
    url = f"pkg:maven/{group}/{name}@{version}{qualifier}"
    return {
        "type": "library",
        "bom-ref": url,
        "group": group,
        "name": name,
        "version": version,
        "purl": url,
        "hashes": [{"alg": "SHA-256", "content": jar.sha256}],
    }


def _is_jar(one: dict[str, Any]) -> bool:
    return str(one.get("purl", "")).startswith("pkg:maven/")
