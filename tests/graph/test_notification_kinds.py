import pytest

from graph.notification_kinds import KINDS, people_in, text_of


@pytest.mark.parametrize(
    ("names", "others", "text"),
    [
        (["Ana"], 0, "Ana"),
        (["Ana", "Bo"], 0, "Ana and Bo"),
        (["Ana", "Bo"], 1, "Ana, Bo and 1 other"),
        (["Ana", "Bo"], 3, "Ana, Bo and 3 others"),
        (["Ana"], 2, "Ana and 2 others"),
    ],
)
def test_people_are_one_or_two_names_and_a_number(names: list[str], others: int, text: str) -> None:
    assert people_in(names, others) == text


def test_a_name_with_braces_stays_as_it_is() -> None:
    assert text_of("followed", ["{people}", "{0}"], 0) == "{people} and {0} followed you"


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_a_sentence_about_people(kind: str) -> None:
    assert KINDS[kind].text.count("{people}") == 1
    assert text_of(kind, ["Ana"], 0).startswith("Ana ")
