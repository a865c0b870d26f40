"""Settings of the stores from variables that this process's environment need not have."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from environs import Env

from graph import GraphSettings
from storage import StorageSettings


def graph_settings(values: Mapping[str, str]) -> GraphSettings:
    with _environment(values) as env:
        return GraphSettings.from_env(env)


def storage_settings(values: Mapping[str, str]) -> StorageSettings:
    with _environment(values) as env:
        return StorageSettings.from_env(env)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[Env]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield Env()
