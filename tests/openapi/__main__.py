"""Writes the API document into a file, without any server: `python -m tests.openapi FILE`."""

import json
import sys
from pathlib import Path

from tests.support.bare_app import bare_app
from tests.support.document import document_of


def main(file: str) -> None:
    """Writes the document."""
    Path(file).write_text(json.dumps(document_of(bare_app()), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1])
