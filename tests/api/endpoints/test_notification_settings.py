"""Notification settings over HTTP."""

from typing import Any

import pytest

from tests.support.people import Builders, Person, assert_problem

PATH = "/v1/me/notification-settings"
ALL_ON = {"new_photos": True, "followed": True}
NIGHT = {"start": "22:30", "end": "07:00", "time_zone": "Europe/Berlin"}


def change(person: Person, **changes: Any) -> dict[str, Any]:
    """The settings after the changes."""
    response = person.patch(PATH, json=changes)
    assert response.status_code == 200, response.text
    return dict(response.json)


def test_at_first_all_pushes_are_on_and_there_are_no_quiet_hours(builders: Builders) -> None:
    assert builders.new_user().read(PATH) == {"push": ALL_ON, "quiet_hours": None}


def test_a_change_keeps_what_it_does_not_name(builders: Builders) -> None:
    ana = builders.new_user()
    assert change(ana, quiet_hours=NIGHT) == {"push": ALL_ON, "quiet_hours": NIGHT}
    muted = {"new_photos": False, "followed": True}
    assert change(ana, push={"new_photos": False}) == {"push": muted, "quiet_hours": NIGHT}
    later = {**NIGHT, "start": "23:45"}
    assert change(ana, quiet_hours={"start": "23:45"}) == {"push": muted, "quiet_hours": later}
    assert change(ana) == {"push": muted, "quiet_hours": later}
    assert change(ana, push={}, quiet_hours={}) == {"push": muted, "quiet_hours": later}
    assert ana.sign_in().read(PATH) == {"push": muted, "quiet_hours": later}
    assert change(ana, quiet_hours=None, push={"new_photos": True}) == {
        "push": ALL_ON,
        "quiet_hours": None,
    }


def test_one_change_is_of_one_user(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    change(ana, push={"followed": False})
    assert ben.read(PATH)["push"] == ALL_ON


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Australia/Lord_Howe", "UTC", "Etc/GMT+5"])
def test_a_time_zone_is_a_name_of_the_iana_database(builders: Builders, zone: str) -> None:
    changed = change(builders.new_user(), quiet_hours={**NIGHT, "time_zone": zone})
    assert changed["quiet_hours"]["time_zone"] == zone


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"quiet_hours": {**NIGHT, "start": "24:00"}}, "quiet_hours.start"),
        ({"quiet_hours": {**NIGHT, "start": "7:00"}}, "quiet_hours.start"),
        ({"quiet_hours": {**NIGHT, "end": "07:60"}}, "quiet_hours.end"),
        ({"quiet_hours": {**NIGHT, "end": "07:00:30"}}, "quiet_hours.end"),
        ({"quiet_hours": {**NIGHT, "end": "\u0660\u0667:00"}}, "quiet_hours.end"),
        ({"quiet_hours": {**NIGHT, "end": 7}}, "quiet_hours.end"),
        ({"quiet_hours": {**NIGHT, "end": None}}, "quiet_hours.end"),
        ({"quiet_hours": {**NIGHT, "time_zone": "Europe/Nowhere"}}, "quiet_hours.time_zone"),
        ({"quiet_hours": {**NIGHT, "time_zone": "../etc/passwd"}}, "quiet_hours.time_zone"),
        ({"quiet_hours": {**NIGHT, "time_zone": ""}}, "quiet_hours.time_zone"),
        ({"quiet_hours": {**NIGHT, "time_zone": None}}, "quiet_hours.time_zone"),
        ({"quiet_hours": {**NIGHT, "days": 1}}, "quiet_hours.days"),
        ({"quiet_hours": "22:00"}, "quiet_hours"),
        ({"push": {"followed": "yes"}}, "push.followed"),
        ({"push": {"followed": 1}}, "push.followed"),
        ({"push": {"followed": None}}, "push.followed"),
        ({"push": {"likes": True}}, "push.likes"),
        ({"push": None}, "push"),
        ({"push": True}, "push"),
        ({"sound": True}, "sound"),
    ],
)
def test_an_invalid_change_names_the_field_and_changes_nothing(
    builders: Builders, body: dict[str, Any], field: str
) -> None:
    ana = builders.new_user()
    problem = assert_problem(ana.patch(PATH, json=body), 422, "invalid-fields")
    assert list(problem["errors"]) == [field]
    assert ana.read(PATH) == {"push": ALL_ON, "quiet_hours": None}


def test_new_quiet_hours_need_all_three_fields(builders: Builders) -> None:
    ana = builders.new_user()
    body = {"push": {"followed": False}, "quiet_hours": {"start": "22:00", "end": "06:00"}}
    problem = assert_problem(ana.patch(PATH, json=body), 422, "quiet-hours-incomplete")
    assert list(problem["errors"]) == ["quiet_hours"]
    assert ana.read(PATH) == {"push": ALL_ON, "quiet_hours": None}
