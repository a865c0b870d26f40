"""A Python client generated from the document of the running API, and a walk with it alone.

Only the file of the photo is sent by plain HTTP, as S3 is not part of the document.
"""

import importlib
import os
import pkgutil
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import requests

from tests.support.eventually import eventually
from tests.support.images import jpeg
from tests.support.supervised_stack import SupervisedStack

PACKAGE = "photofeed_client"
PASSWORD = "a password of the generated client"
GENERATE_SECONDS = 120
OPTIONS: dict[str, Any] = {
    "raise_on_unexpected_status": True,
    "httpx_args": {"trust_env": False},
}


@pytest.fixture(scope="module")
def client(
    services: SupervisedStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimpleNamespace]:
    """The generated package: `models`, the two kinds of client, and a module for each operation."""
    folder = tmp_path_factory.mktemp("client")
    generate(f"{services.url}/openapi.json", folder / PACKAGE)
    sys.path.insert(0, str(folder))
    try:
        package = importlib.import_module(PACKAGE)
        yield SimpleNamespace(
            models=importlib.import_module(f"{PACKAGE}.models"),
            anonymous=package.Client(services.url, **OPTIONS),
            signed_in=lambda token: package.AuthenticatedClient(services.url, token, **OPTIONS),
            **operations_of(importlib.import_module(f"{PACKAGE}.api")),
        )
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]


def generate(url: str, package: Path) -> None:
    """Generates the client. Asserts that the tool gives no warning."""
    tools = Path(sys.executable).parent
    done = subprocess.run(
        [
            *(str(tools / "openapi-python-client"), "generate", "--url", url),
            *("--meta", "none", "--output-path", str(package), "--fail-on-warning"),
        ],
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=GENERATE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()


def operations_of(package: ModuleType) -> dict[str, ModuleType]:
    """The modules of the operations by name. Each tag has a package of them."""
    modules = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return {
        module.name.rpartition(".")[2]: importlib.import_module(module.name)
        for module in modules
        if not module.ispkg
    }


def test_every_operation_of_the_document_is_generated(
    services: SupervisedStack, client: SimpleNamespace
) -> None:
    document = requests.get(f"{services.url}/openapi.json", timeout=10).json()
    ids = [
        operation["operationId"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    ]
    assert len(ids) > 30
    for operation_id in ids:
        name = "".join(
            f"_{letter.lower()}" if letter.isupper() else letter for letter in operation_id
        )
        assert callable(getattr(client, name).sync_detailed), name


def test_every_schema_of_the_document_is_generated(
    services: SupervisedStack, client: SimpleNamespace
) -> None:
    document = requests.get(f"{services.url}/openapi.json", timeout=10).json()
    assert {
        name for name in document["components"]["schemas"] if name in dir(client.models)
    } == set(document["components"]["schemas"])


def sign_up(client: SimpleNamespace, name: str) -> Any:
    """A new user, and a client with their session."""
    account = client.models.NewAccount(
        username=f"{name}_{secrets.token_hex(5)}", password=PASSWORD, name=name.title()
    )
    session = client.create_account.sync(client=client.anonymous, body=account)
    assert isinstance(session, client.models.NewSession), session
    return session.user, client.signed_in(session.auth_token)


def upload(client: SimpleNamespace, api: Any, picture: bytes) -> str:
    """The id of a photo that is ready."""
    declared = client.models.NewPhoto(
        content_type=client.models.NewPhotoContentType.IMAGEJPEG,
        size_bytes=len(picture),
        alt_text="four colours",
    )
    photo = client.create_photo.sync(
        client=api, body=declared, idempotency_key=secrets.token_hex(8)
    )
    assert photo.state == client.models.PhotoState.WAITING
    to = photo.upload
    stored = requests.request(
        to.method.value, to.url, data=picture, headers=to.headers.to_dict(), timeout=60
    )
    assert stored.ok, stored.text
    progress = client.complete_photo.sync(photo.id, client=api)
    assert progress.state in {client.models.PhotoState.PROCESSING, client.models.PhotoState.READY}

    def is_ready() -> bool:
        state = client.get_photo.sync(photo.id, client=api).state
        assert state != client.models.PhotoState.FAILED
        return bool(state == client.models.PhotoState.READY)

    eventually(is_ready, every=0.2)
    return str(photo.id)


def test_the_client_walks_from_sign_up_to_a_followers_feed(client: SimpleNamespace) -> None:
    ana, ana_api = sign_up(client, "ana")
    ben, ben_api = sign_up(client, "ben")
    assert client.follow_user.sync_detailed(ana.id, client=ben_api).status_code == 204
    following = client.list_following.sync(client=ben_api, limit=1)
    assert [user.username for user in following.users] == [ana.username]

    photo_id = upload(client, ana_api, jpeg(640, 480))
    draft = client.models.NewPost(
        photo_ids=[photo_id],
        caption="Dusk, at last.",
        location=client.models.Location(name="Lisbon", latitude=38.72, longitude=-9.14),
    )
    key = secrets.token_hex(8)
    first = client.publish_post.sync_detailed(client=ana_api, body=draft, idempotency_key=key)
    again = client.publish_post.sync_detailed(client=ana_api, body=draft, idempotency_key=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.parsed == again.parsed

    def has_it() -> bool:
        posts = client.read_feed.sync(client=ben_api).posts
        return [post.id for post in posts] == [first.parsed.id]

    eventually(has_it)
    post = client.read_feed.sync(client=ben_api).posts[0]
    assert post == first.parsed
    assert (post.author.id, post.caption) == (ana.id, "Dusk, at last.")
    assert (post.photos[0].width, post.photos[0].height) == (640, 480)
    rendition = requests.get(post.photos[0].renditions.field_320, timeout=10)
    assert rendition.headers["Content-Type"] == "image/jpeg"
    assert client.get_user.sync(ana.id, client=ben_api).viewer.following
    assert client.count_unread_posts.sync(client=ben_api).count == 1
    assert ben.id != ana.id


def test_an_error_reaches_the_client_as_a_problem_with_its_code(client: SimpleNamespace) -> None:
    user, api = sign_up(client, "cid")
    itself = client.follow_user.sync(user.id, client=api)
    assert isinstance(itself, client.models.Problem)
    assert (itself.status, itself.code) == (422, "cannot-follow-yourself")
    refused = client.get_own_profile.sync(client=client.signed_in("pf_none"))
    assert (refused.status, refused.code) == (401, "not-signed-in")
