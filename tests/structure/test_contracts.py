"""The import contracts of pyproject.toml leave out no package and no module."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
    "importlinter"
]
CONTRACTS: list[dict[str, Any]] = SETTINGS["contracts"]
ENTRIES = {"asgi.py", "wsgi.py"}
"""Modules outside the packages. No package imports them."""


def packages() -> set[str]:
    """The top-level packages, without the tests."""
    return {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}


def names_in(layers: list[str]) -> list[str]:
    """The packages or modules in the layers of a contract."""
    return re.findall(r"\w+", " ".join(layers))


def test_every_package_is_checked() -> None:
    assert set(SETTINGS["root_packages"]) == packages()
    assert {path.name for path in ROOT.glob("*.py")} == ENTRIES


def test_every_package_is_in_one_layer() -> None:
    assert sorted(names_in(CONTRACTS[0]["layers"])) == sorted(packages())
    assert "containers" not in CONTRACTS[0]


@pytest.mark.parametrize("package", sorted(packages()))
def test_every_module_of_a_package_is_in_a_layer(package: str) -> None:
    [contract] = [c for c in CONTRACTS if package in c.get("containers", ())]
    assert contract["type"] == "layers"
    assert contract["exhaustive"]


def test_contracts_about_all_packages_list_all_of_them() -> None:
    [cycles] = [contract for contract in CONTRACTS if contract["type"] == "acyclic_siblings"]
    [tests] = [contract for contract in CONTRACTS if contract.get("forbidden_modules") == ["tests"]]
    assert set(cycles["ancestors"]) == packages()
    assert set(tests["source_modules"]) == packages()


def test_every_name_of_a_contract_is_unique() -> None:
    names = [contract["name"] for contract in CONTRACTS]
    assert len(names) == len(set(names))
