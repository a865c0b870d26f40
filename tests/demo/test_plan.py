import io
import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from demo.pictures import SUBJECTS, develop
from demo.plan import plan
from demo.state import State, Where, stack_folder
from tests.support.images import jpeg

ROOT = Path(__file__).resolve().parents[2]


def test_the_same_seed_gives_the_same_town_and_another_seed_another() -> None:
    assert plan(3, 30, 40) == plan(3, 30, 40)
    assert plan(3, 30, 40) != plan(4, 30, 40)


def test_everyone_has_a_name_of_their_own_that_the_api_takes() -> None:
    people = plan(1, 100, 300).people
    assert len({person.username for person in people}) == 100
    for person in people:
        assert re.fullmatch(r"[A-Za-z0-9_.]{3,30}", person.username)
        assert person.name
        assert person.bio


def test_follows_are_of_others_in_town_and_few_are_followed_by_many() -> None:
    people = plan(1, 100, 300).people
    names = {person.username for person in people}
    for person in people:
        assert person.username not in person.follows
        assert len(set(person.follows)) == len(person.follows)
        assert set(person.follows) <= names
    counts = sorted(Counter(name for one in people for name in one.follows).values())
    assert counts[-1] > 5 * counts[len(counts) // 2]


def test_an_authors_posts_are_numbered_in_their_order() -> None:
    posts = plan(1, 100, 300).posts
    assert len(posts) == 300
    for author in {post.author for post in posts}:
        numbers = [post.nth for post in posts if post.author == author]
        assert all(after == before + 1 for before, after in pairwise([-1, *numbers]))


def test_a_licence_that_asks_for_a_credit_gets_it_in_the_caption() -> None:
    credited = {subject.name for subject in SUBJECTS if subject.credit}
    assert credited == {"china", "flower"}
    for post in plan(1, 100, 300).posts:
        for subject in post.subjects:
            assert subject.credit in post.caption


def test_every_picture_is_credited_and_described() -> None:
    page = (ROOT / "demo" / "CREDITS.md").read_text()
    rows = re.findall(
        r"^\| (\w+) \| .+ \| .*(?:CC BY 2\.0|CC0|public domain).* \|", page, re.MULTILINE
    )
    assert sorted(rows) == sorted(Path(subject.path).stem for subject in SUBJECTS)
    assert all(subject.alt_text.endswith(".") for subject in SUBJECTS)


def test_a_picture_is_developed_differently_by_each_seed(tmp_path: Path) -> None:
    file = tmp_path / "one.jpg"
    file.write_bytes(jpeg(600, 400))
    developed = [develop(file, f"someone/{n}/0") for n in range(12)]
    assert len(set(developed)) == 12
    assert develop(file, "someone/0/0") == developed[0]
    for data in developed:
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.format == "JPEG"
            assert max(picture.size) == 1080


def test_the_password_is_kept_between_runs_and_from_others(tmp_path: Path) -> None:
    path = tmp_path / "demo.json"
    first = State.load(path, seed=None)
    assert path.stat().st_mode & 0o777 == 0o600
    assert State.load(path, seed=None) == first
    second = State.load(path, seed=9)
    assert (second.seed, second.password) == (9, first.password)
    assert State.load(path, seed=None).seed == 9
    assert json.loads(path.read_text())["password"] == first.password


def test_the_running_stack_is_found_by_its_note(tmp_path: Path) -> None:
    assert Where.find(tmp_path, {}, api_url=None).api_url == "http://127.0.0.1:8000"
    exported = {"API_URL": "http://b"}
    assert Where.find(tmp_path, exported, api_url=None).api_url == "http://b"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "stack.env").write_text(
        "API_URL=http://127.0.0.1:8123\nNEO4J_BROWSER_URL=http://127.0.0.1:7474/browser/\n"
        "NEO4J_URI=bolt://127.0.0.1:7999\nNEO4J_USER=neo4j\n"
    )
    found = Where.find(tmp_path, exported, api_url=None)
    assert found.api_url == "http://127.0.0.1:8123"
    assert found.browser_url.endswith("/browser/?connectURL=bolt://neo4j@127.0.0.1:7999")
    assert Where.find(tmp_path, exported, api_url="http://c/").api_url == "http://c"


def test_the_stacks_folder_is_where_the_environment_or_the_checkout_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACK_FOLDER", "elsewhere")
    assert stack_folder(tmp_path) == Path("elsewhere")
    monkeypatch.delenv("STACK_FOLDER")
    assert stack_folder(tmp_path) == tmp_path / ".local"
    (tmp_path / ".env").write_text("STACK_FOLDER=/somewhere\n")
    assert stack_folder(tmp_path) == Path("/somewhere")
