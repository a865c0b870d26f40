"""Notification settings in the graph: defaults, merge patches, concurrent changes."""

from datetime import time
from functools import partial

import pytest

from graph import Graph
from graph.errors import NotFoundError, QuietHoursIncompleteError
from graph.notification_settings import (
    PUSH_KINDS,
    NotificationSettings,
    QuietHours,
    SettingsChanges,
    time_zones,
)
from tests.support.concurrency import errors, run_together
from tests.support.town import Town

NIGHT: SettingsChanges = {
    "quiet_hours": {"start": time(22, 30), "end": time(7), "time_zone": "Europe/Berlin"}
}


def test_at_first_all_pushes_are_on_and_there_are_no_quiet_hours(graph: Graph, town: Town) -> None:
    settings = graph.notification_settings.read(town.user())
    assert settings == NotificationSettings()
    assert settings.push == dict.fromkeys(PUSH_KINDS, True)


def test_changes_keep_what_they_do_not_name(graph: Graph, town: Town) -> None:
    ana, store = town.user(), graph.notification_settings
    assert store.update(ana, {"push": {"followed": False}}).push["followed"] is False
    night = QuietHours(start=time(22, 30), end=time(7), time_zone="Europe/Berlin")
    assert store.update(ana, NIGHT).quiet_hours == night
    changed = store.update(ana, {"push": {"new_photos": False}, "quiet_hours": {"end": time(6)}})
    assert changed == NotificationSettings(
        muted_kinds=frozenset(PUSH_KINDS),
        quiet_hours=QuietHours(start=time(22, 30), end=time(6), time_zone="Europe/Berlin"),
    )
    assert store.update(ana, {}) == changed
    ended = store.update(ana, {"push": {"new_photos": True}, "quiet_hours": None})
    assert ended == NotificationSettings(muted_kinds=frozenset({"followed"}))
    assert store.read(ana) == ended


def test_a_repeated_change_changes_nothing_more(graph: Graph, town: Town) -> None:
    ana = town.user()
    for _ in range(3):
        graph.notification_settings.update(ana, {"push": {"followed": False}})
    [row] = town.query("MATCH (u:User {id: $id}) RETURN u.muted_kinds AS muted", id=ana)
    assert row["muted"] == ["followed"]


def test_new_quiet_hours_need_all_fields_and_else_nothing_changes(graph: Graph, town: Town) -> None:
    ana, store = town.user(), graph.notification_settings
    with pytest.raises(QuietHoursIncompleteError):
        store.update(ana, {"push": {"followed": False}, "quiet_hours": {"start": time(22)}})
    assert store.read(ana) == NotificationSettings()
    assert store.update(ana, {"quiet_hours": {}}) == NotificationSettings()


def test_concurrent_changes_of_different_settings_are_all_kept(graph: Graph, town: Town) -> None:
    ana, update = town.user(), graph.notification_settings.update
    changes: list[SettingsChanges] = [{"push": {kind: False}} for kind in PUSH_KINDS]
    assert not errors(run_together(*[partial(update, ana, one) for one in [*changes, NIGHT] * 4]))
    settings = graph.notification_settings.read(ana)
    assert settings.muted_kinds == set(PUSH_KINDS)
    assert settings.quiet_hours


def test_the_settings_of_many_users_are_read_at_once(graph: Graph, town: Town) -> None:
    ana, ben, gone = town.users(3)
    muted = graph.notification_settings.update(ben, {"push": {"followed": False}})
    town.query("MATCH (u:User {id: $id}) SET u.state = 'deleted'", id=gone)
    found = graph.notification_settings.read_many([gone, ana, ben, 1])
    assert found == {ana: NotificationSettings(), ben: muted}


def test_an_absent_user_has_no_settings(graph: Graph) -> None:
    with pytest.raises(NotFoundError):
        graph.notification_settings.read(1)
    with pytest.raises(NotFoundError):
        graph.notification_settings.update(1, NIGHT)


def test_the_time_zones_are_those_of_the_iana_database() -> None:
    zones = {"Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"}
    assert zones <= time_zones()
    assert not {"Factory", "localtime", "", "Europe/berlin", "../Berlin"} & time_zones()
