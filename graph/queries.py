"""The queries of cypher/; loading a query checks its header."""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "cypher"
"""The folder of all statements, one a file."""

_FIELD = re.compile(r"^(\$\w+|returns|index|sorts|expands):\s+(.*)$")
_COMMENT = re.compile(r"//.*$", re.MULTILINE)
_PARAMETER = re.compile(r"\$(\w+)")


class HeaderError(ValueError):
    """The header of a query file is missing or wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A statement and its header.

    `index` lists the indexes that the plan uses, its start first. `sorts` describes what no index
    orders. `expands` describes the relationships that are traversed from a node.
    """

    name: str
    summary: str
    text: str
    parameters: dict[str, str]
    returns: tuple[str, ...]
    index: tuple[str, ...]
    sorts: str
    expands: str


LOADED: dict[str, Query] = {}
"""The queries that the modules of graph/ have loaded, by name."""


def load(name: str) -> Query:
    """The query of cypher/NAME.cypher. Raises HeaderError, also if it is loaded already."""
    if name in LOADED:
        raise HeaderError(f"{name} is loaded twice")
    query = parse(name, (FOLDER / f"{name}.cypher").read_text(encoding="utf-8"))
    LOADED[name] = query
    return query


def parse(name: str, source: str) -> Query:
    """The query of a file's text. Raises HeaderError."""
    header, text = _split(source)
    summary, fields = _fields(name, header)
    declared = {key[1:]: meaning for key, meaning in fields.items() if key.startswith("$")}
    used = set(_PARAMETER.findall(_COMMENT.sub("", text)))
    if used != declared.keys():
        raise HeaderError(f"{name}: parameters {sorted(used ^ declared.keys())} differ")
    if missing := {"returns", "index"} - fields.keys():
        raise HeaderError(f"{name}: no {sorted(missing)}")
    return Query(
        name=name,
        summary=summary,
        text=text,
        parameters=declared,
        returns=_names(fields["returns"], ", "),
        index=_names(fields["index"], "; "),
        sorts=fields.get("sorts", ""),
        expands=fields.get("expands", ""),
    )


def _split(source: str) -> tuple[list[str], str]:
    lines = source.splitlines()
    end = next((n for n, line in enumerate(lines) if not line.startswith("//")), len(lines))
    return [line.removeprefix("//").strip() for line in lines[:end]], "\n".join(lines[end:])


def _fields(name: str, header: list[str]) -> tuple[str, dict[str, str]]:
    """The summary and the fields; a line without a field name continues the line above."""
    opening = f"cypher/{name}.cypher: "
    if not header or not header[0].startswith(opening):
        raise HeaderError(f"{name}: the first line has to start with // {opening}")
    summary, fields, field = header[0].removeprefix(opening), dict[str, str](), ""
    for line in header[1:]:
        if match := _FIELD.match(line):
            field = match[1]
            fields[field] = match[2].strip()
        elif field:
            fields[field] += f" {line}"
        else:
            summary += f" {line}"
    return summary, fields


def _names(listed: str, separator: str) -> tuple[str, ...]:
    return () if listed == "nothing" else tuple(part.strip() for part in listed.split(separator))
