"""A suspended account: what its owner is told, and how it meets the deletion of the account."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from structlog.testing import capture_logs

from graph import Graph
from tests.support.commands import moderate
from tests.support.people import PASSWORD, Builders, Person, assert_problem, call_api, sign_in
from tests.support.stage import Stage
from tests.support.transports import ApiResponse


def suspend(person: Person) -> None:
    moderate("suspend", person.id, "--reason", "spam")


def leave(person: Person) -> None:
    assert person.call("DELETE", "/v1/me", json={"password": PASSWORD}).status_code == 202


def restore(app: Flask, person: Person, password: str = PASSWORD) -> ApiResponse:
    account = {"username": person.username, "password": password}
    return call_api(app, "POST", "/v1/me/restore", json=account)


# Security 3
def test_only_the_right_password_tells_that_an_account_is_suspended(
    app: Flask, builders: Builders
) -> None:
    person = builders.new_user()
    suspend(person)
    problem = assert_problem(sign_in(app, person.username), 403, "account-suspended")
    assert "suspended" in problem["detail"]
    wrong = assert_problem(sign_in(app, person.username, "wrong"), 401, "wrong-credentials")
    unknown = assert_problem(sign_in(app, "nobody-is-this", "wrong"), 401, "wrong-credentials")
    assert {**wrong, "request_id": ""} == {**unknown, "request_id": ""}
    assert_problem(restore(app, person), 403, "account-suspended")
    assert_problem(restore(app, person, "wrong"), 401, "wrong-credentials")


def test_a_right_password_of_a_suspended_account_is_no_failure(
    strict_app: Flask, builders: Builders
) -> None:
    person = builders.new_user()
    suspend(person)
    with capture_logs() as lines:
        statuses = {sign_in(strict_app, person.username).status_code for _ in range(12)}
    assert statuses == {403}
    events = {(line["event"], line["account_id"]) for line in lines if line.get("security")}
    assert events == {("sign-in-suspended", person.id)}


def test_a_sign_in_after_the_suspension_ends_works(app: Flask, builders: Builders) -> None:
    person = builders.new_user()
    suspend(person)
    moderate("unsuspend", person.id)
    assert sign_in(app, person.username).status_code == 201


def test_a_name_of_a_suspended_user_is_taken(app: Flask, builders: Builders) -> None:
    person = builders.new_user()
    suspend(person)
    account = {"username": person.username, "password": PASSWORD}
    assert_problem(call_api(app, "POST", "/v1/accounts", json=account), 409, "username-taken")


@pytest.mark.parametrize("first", ["leave", "suspend"])
def test_an_account_that_its_owner_deletes_cannot_be_restored_while_it_is_suspended(
    app: Flask, builders: Builders, graph: Graph, first: str
) -> None:
    person = builders.new_user()
    if first == "suspend":  # and it ends before the owner leaves
        suspend(person)
        moderate("unsuspend", person.id)
        person = person.sign_in()
    leave(person)
    suspend(person)
    assert graph.accounts.is_leaving(person.id)
    assert_problem(restore(app, person), 403, "account-suspended")
    assert_problem(restore(app, person, "wrong"), 401, "wrong-credentials")
    assert_problem(sign_in(app, person.username), 401, "wrong-credentials")
    moderate("unsuspend", person.id)
    assert graph.accounts.is_leaving(person.id)
    assert restore(app, person).status_code == 200
    assert sign_in(app, person.username).status_code == 201


def test_an_account_is_deleted_on_time_while_it_is_suspended(
    builders: Builders, stage: Stage
) -> None:
    person, reporter = builders.new_user(), builders.new_user()
    report = {"user_id": str(reporter.id), "reason": "spam"}
    assert person.post("/v1/reports", json=report).status_code == 202
    leave(person)
    suspend(person)
    stage.end_week(person.id)
    stage.do_all(person.id)
    [row] = stage.town.query(
        "MATCH (user:User {id: $id}) RETURN properties(user) AS all,"
        " COUNT { (report:Report {reporter_id: $id}) } AS reports",
        id=person.id,
    )
    assert row["all"]["state"] == "deleted"
    assert "suspended_at" not in row["all"]
    assert row["reports"] == 0


@pytest.mark.parametrize("suspended", [False, True])
def test_an_account_that_operators_delete_is_hidden_at_once_and_deleted_after_its_week(
    app: Flask, builders: Builders, stage: Stage, *, suspended: bool
) -> None:
    person, follower = builders.new_user(), builders.new_user()
    follower.follow(person)
    post = builders.publish(person)["id"]
    if suspended:
        suspend(person)
    moderate("delete-account", person.id, "--reason", "a letter")
    assert_problem(person.get("/v1/me"), 401, "not-signed-in")
    assert_problem(follower.get(f"/v1/posts/{post}"), 404, "not-found")
    assert_problem(follower.get(f"/v1/users/{person.id}"), 404, "not-found")
    if suspended:
        assert_problem(restore(app, person), 403, "account-suspended")
    stage.end_week(person.id)
    stage.do_all(person.id)
    user = stage.graph.moderation.user(person.id)
    assert user is not None
    assert user.state == "deleted"
    assert_problem(restore(app, person), 401, "wrong-credentials")


def test_an_account_that_operators_delete_can_be_restored_by_its_owner(
    app: Flask, builders: Builders
) -> None:
    person = builders.new_user()
    moderate("delete-account", person.id, "--reason", "a forged letter")
    assert restore(app, person).status_code == 200
    assert sign_in(app, person.username).status_code == 201


def test_a_session_that_was_cached_before_is_refused_by_every_process(
    builders: Builders, app_on: Callable[..., Any]
) -> None:
    person = builders.new_user()
    others = [person.on(app_on()) for _ in range(2)]
    devices = [person, person.sign_in(), *others]
    for device in devices:
        assert device.get("/v1/me").status_code == 200
    suspend(person)
    for device in devices:
        assert_problem(device.get("/v1/me"), 401, "not-signed-in")
