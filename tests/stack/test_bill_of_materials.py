"""The bill of materials: what `make sbom` adds to the list of the Python packages."""

import json
from pathlib import Path

import pytest

from stack import StackError
from stack.commands.bill_of_materials import add_jars, component
from stack.parts.jars import Jar, read_lock

PACKAGE = {"type": "library", "name": "flask", "purl": "pkg:pypi/flask@3"}


# Security 25
def test_every_jar_of_the_lock_is_in_the_bill_once(tmp_path: Path) -> None:
    path = tmp_path / "sbom.json"
    path.write_text(json.dumps({"bomFormat": "CycloneDX", "components": [PACKAGE]}))
    jars = read_lock()
    for _ in range(2):
        assert add_jars(path) == len(jars) > 100
        components = json.loads(path.read_text())["components"]
        assert components[0] == PACKAGE
        assert [one["hashes"][0]["content"] for one in components[1:]] == [
            jar.sha256 for jar in jars
        ]
        assert len({one["bom-ref"] for one in components[1:]}) == len(jars)


def test_a_jar_has_its_package_url() -> None:
    jar = Jar(coordinate="io.netty:netty-epoll:4.2:linux-x86_64", sha256="ab")
    url = "pkg:maven/io.netty/netty-epoll@4.2?classifier=linux-x86_64"
    assert component(jar)["purl"] == url
    assert component(Jar(coordinate="a.b:c:1", sha256="ab"))["purl"] == "pkg:maven/a.b/c@1"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"components": 3}'])
def test_a_file_that_is_no_bill_is_an_error_and_stays(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sbom.json"
    path.write_text(text)
    with pytest.raises(StackError, match="no bill of materials"):
        add_jars(path)
    assert path.read_text() == text
