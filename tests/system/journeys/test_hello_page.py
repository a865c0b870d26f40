"""The page /hello in a real browser: the feed, a new post while it is open, a pushed notice."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from graph import Graph
from tests.support.chromium import PROGRAM, Chromium, Page
from tests.support.eventually import eventually
from tests.support.people import PASSWORD, Person
from tests.support.supervised_stack import SupervisedStack
from tests.support.town import Town

NOTICE = {
    "kind": "new_photos",
    "title": "photofeed",
    "body": "3 new photos from Ana, Bo and 1 other",
    "url": "/hello",
    "tag": "photofeed",
    "unread": 3,
}


@pytest.fixture(scope="module")
def process_names() -> Sequence[str]:
    return ("api", "fanout", "timelines", "sweeper")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    if PROGRAM is None:
        pytest.skip("This test needs Chromium (apt-get install chromium). CI installs it.")
    with Chromium(tmp_path / "profile") as browser:
        yield browser


def opened(browser: Chromium, services: SupervisedStack) -> Page:
    """The page, which asks for a user name and a password."""
    page = browser.open(f"{services.url}/hello")
    is_ready = "document.querySelector('#sign-in')?.hidden === false"
    eventually(partial(page.run, is_ready), seconds=60)
    return page


def text_of(page: Page, selector: str) -> str:
    script = f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"
    return str(page.run(script))


def shows(page: Page, text: str, selector: str = "body") -> bool:
    return text in text_of(page, selector)


def sign_in(page: Page, person: Person) -> None:
    page.run(
        f"""(() => {{
          document.querySelector("#username").value = {json.dumps(person.username)};
          document.querySelector("#password").value = {json.dumps(PASSWORD)};
          document.querySelector("#sign-in button").click();
        }})()"""
    )


def notifications_of(page: Page) -> list[dict[str, Any]]:
    """The notifications that the browser shows."""
    script = """(async () => {
      const registration = await navigator.serviceWorker.getRegistration("/hello/");
      const shown = await registration?.getNotifications() ?? [];
      return shown.map(({ title, body, tag }) => ({ title, body, tag }));
    })()"""
    return list(page.run(script))


def test_a_reader_sees_the_feed_and_hears_of_a_new_post(
    services: SupervisedStack, browser: Chromium, graph: Graph, tmp_path: Path
) -> None:
    assert graph
    town = Town(graph)
    author, reader = services.sign_up("hello_author"), services.sign_up("hello_reader")
    reader.follow(author)
    author.publish(town.photo(author.id), caption="the first post")
    page = opened(browser, services)
    sign_in(page, reader)
    eventually(partial(shows, page, "the first post"), seconds=60)

    author.publish(town.photo(author.id), caption="the second post")
    eventually(partial(shows, page, "1 new", "#new"), seconds=60)
    page.screenshot(tmp_path / "page.png")
    page.run("document.querySelector('#new').click()")
    eventually(partial(shows, page, "the second post"), seconds=60)
    assert page.run("document.querySelector('#new').hidden")

    for session in reader.read("/v1/me/sessions")["sessions"]:
        if not session["current"]:
            reader.delete(f"/v1/me/sessions/{session['id']}")
    eventually(partial(shows, page, "You have been signed out.", "#message"), seconds=60)
    assert text_of(page, "#posts") == ""


def test_a_wrong_password_is_a_sentence(services: SupervisedStack, browser: Chromium) -> None:
    page = opened(browser, services)
    page.run(
        """(() => {
          document.querySelector("#username").value = "nobody";
          document.querySelector("#password").value = "not the right one";
          document.querySelector("#sign-in button").click();
        })()"""
    )
    eventually(lambda: bool(text_of(page, "#message")), seconds=60)
    assert text_of(page, "#message").endswith(".")


def test_a_push_is_shown_and_a_click_shows_the_newest_posts(
    services: SupervisedStack, browser: Chromium
) -> None:
    browser.call("Browser.grantPermissions", origin=services.url, permissions=["notifications"])
    page = opened(browser, services)
    page.call("ServiceWorker.enable")
    page.run(
        """navigator.serviceWorker.register("/hello/worker.js").then(async (registration) => {
          while (!registration.active) await new Promise((wait) => setTimeout(wait, 50));
        })"""
    )

    def registration() -> str | None:
        for event in browser.events:
            if event["method"] == "ServiceWorker.workerRegistrationUpdated":
                for one in event["params"]["registrations"]:
                    return str(one["registrationId"])
        return None

    number = eventually(registration, seconds=60)
    assert page.run("Notification.permission") == "granted"

    def pushed() -> bool:
        """Whether a notification is shown; the next one would replace it."""
        page.call(
            "ServiceWorker.deliverPushMessage",
            origin=services.url,
            registrationId=number,
            data=json.dumps(NOTICE),
        )
        return bool(notifications_of(page))

    eventually(pushed, seconds=60, every=1)
    assert notifications_of(page) == [{name: NOTICE[name] for name in ("title", "body", "tag")}]

    page.run("navigator.serviceWorker.addEventListener('message', () => { window.told = true; })")
    [target] = browser.targets("service_worker")
    Page(browser, target).run(
        """(async () => {
          const [notification] = await self.registration.getNotifications();
          self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
        })()"""
    )
    eventually(partial(page.run, "window.told === true"), seconds=60)
    eventually(lambda: notifications_of(page) == [], seconds=60)


PUSH_FAILS = {
    "no PushManager": """Object.defineProperty(
      ServiceWorkerRegistration.prototype, "pushManager", { value: undefined })""",
    "no service worker": """ServiceWorkerContainer.prototype.register = async () => {
      throw new Error("not here") }""",
    "no end of the subscription": """PushManager.prototype.getSubscription = async () => ({
      toJSON: () => ({}), unsubscribe: async () => { throw new Error("not now") } })""",
}


@pytest.mark.parametrize("name", PUSH_FAILS)
def test_signing_out_needs_no_push(services: SupervisedStack, browser: Chromium, name: str) -> None:
    reader = services.sign_up(f"hello_out_{list(PUSH_FAILS).index(name)}")
    page = opened(browser, services)
    sign_in(page, reader)
    eventually(partial(page.run, "!document.querySelector('#push').hidden"), seconds=60)
    assert len(reader.read("/v1/me/sessions")["sessions"]) == 2
    page.run(f"(() => {{ {PUSH_FAILS[name]} }})()")
    page.run("document.querySelector('#sign-out').click()")
    eventually(lambda: len(reader.read("/v1/me/sessions")["sessions"]) == 1, seconds=60)
    eventually(partial(page.run, "!document.querySelector('#sign-in').hidden"), seconds=60)
    assert text_of(page, "#message") == ""


def test_a_subscription_that_is_refused_ends_no_live_news(
    services: SupervisedStack, browser: Chromium, graph: Graph
) -> None:
    assert graph
    author, reader = services.sign_up("hello_live"), services.sign_up("hello_refused")
    reader.follow(author)
    page = opened(browser, services)
    subscription = {"endpoint": "https://push.invalid/1", "keys": {"p256dh": "a", "auth": "b"}}
    page.run(
        f"""(() => {{
          PushManager.prototype.getSubscription = async () => ({{
            toJSON: () => ({json.dumps(subscription)}) }});
          const original = window.fetch;
          window.fetch = async (...request) => {{
            const response = await original(...request);
            if (request[0] === "/v1/me/push-subscriptions") window.refused = !response.ok;
            return response;
          }};
        }})()"""
    )
    sign_in(page, reader)
    eventually(partial(page.run, "window.refused === true"), seconds=60)
    author.publish(Town(graph).photo(author.id), caption="the first post")
    eventually(partial(shows, page, "1 new", "#new"), seconds=60)


@pytest.mark.parametrize("name", ["page.js", "page.css", "worker.js"])
def test_the_page_allows_no_inline_script(services: SupervisedStack, name: str) -> None:
    person = services.sign_up("hello_policy")
    page = person.get("/hello")
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page.text
    assert person.get(f"/hello/{name}").status_code == 200
    assert person.get("/hello/other.js").status_code == 404
