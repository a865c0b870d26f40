"""Users' text in its one form. Hypothesis draws texts, and prints how to repeat one that fails."""

import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from marshmallow import ValidationError

from api.schemas import words
from api.schemas.fields import Line, Name, Prose

LRE, RLE, PDF, LRO, RLO = "\u202a", "\u202b", "\u202c", "\u202d", "\u202e"
LRI, RLI, FSI, PDI = "\u2066", "\u2067", "\u2068", "\u2069"
ODD = (
    f"{LRE}{RLE}{PDF}{LRO}{RLO}{LRI}{RLI}{FSI}{PDI}"
    "\t\n\r\v\f\x1c\x1f\x85\xa0\u2000\u200b\u200e\u2028\u2029\u3000\ufeff"
    "aé\u0301\u0327e\u0344\u0958\u1100\u1161\u3164\u2800שא😀"
)
TEXTS = st.text(st.one_of(st.sampled_from(ODD), st.characters(exclude_categories=["Cs"])))


def seen(text: str) -> list[str]:
    """What is seen of a text, composed or not."""
    return [one for one in unicodedata.normalize("NFD", text) if words.is_visible(one)]


def depths(line: str) -> tuple[int, int]:
    """How many embeddings and isolates are open at the end of a line. Asserts that none cross."""
    ends = {LRE: PDF, RLE: PDF, LRO: PDF, RLO: PDF, LRI: PDI, RLI: PDI, FSI: PDI}
    waiting: list[str] = []
    for character in line:
        if character in ends:
            waiting.append(ends[character])
        if character in {PDF, PDI}:
            assert waiting, "an end of nothing"
            assert waiting.pop() == character, "crossed"
    return waiting.count(PDF), waiting.count(PDI)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_every_line_end_is_one_newline(end: str) -> None:
    assert words.normalize(f"Sea{end}and{end}{end}wind") == "Sea\nand\n\nwind"
    assert words.normalize(f"{end}Sea{end}") == "Sea"


def test_a_tab_is_a_space_and_the_mark_of_a_file_is_dropped() -> None:
    assert words.normalize("\ufeffSea\tand\ufeff wind\t") == "Sea and wind"


@pytest.mark.parametrize("begin", [LRE, RLE, LRO, RLO])
def test_an_open_embedding_is_ended(begin: str) -> None:
    assert words.normalize(f"a {begin}b") == f"a {begin}b{PDF}"


@pytest.mark.parametrize("begin", [LRI, RLI, FSI])
def test_an_open_isolate_is_ended(begin: str) -> None:
    assert words.normalize(f"a {begin}b") == f"a {begin}b{PDI}"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        (f"a{PDF}b{PDI}c", "abc"),
        (f"{RLE}a{PDF}{PDF}b", f"{RLE}a{PDF}b"),
        (f"{RLI}a{PDI}{PDI}b", f"{RLI}a{PDI}b"),
        (f"{RLE}{LRI}a", f"{RLE}{LRI}a{PDI}{PDF}"),
        (f"{RLI}{RLE}a{PDI}b", f"{RLI}{RLE}a{PDF}{PDI}b"),  # the end of the isolate ends both
        (f"{RLE}{RLI}a{PDF}b{PDI}", f"{RLE}{RLI}ab{PDI}{PDF}"),  # no end from within the isolate
        (f"{RLE}a{PDI}b", f"{RLE}ab{PDF}"),
        (f"{RLI}a\nb{PDI}c", f"{RLI}a{PDI}\nbc"),  # a line ends all, so another's end is surplus
        (f"{RLI}a\u2029b", f"{RLI}a{PDI}\nb"),
        (f"{RLI}a{PDI} {RLE}b{PDF}\u200f", f"{RLI}a{PDI} {RLE}b{PDF}\u200f"),
        (f"a {PDF}", "a"),
    ],
)
def test_directions_are_nested_and_ended_in_their_line(text: str, normal: str) -> None:
    assert words.normalize(text) == normal


def test_ten_thousand_open_directions_take_no_time() -> None:
    text = RLE * 10_000 + PDI * 10_000 + RLI * 10_000 + PDF * 10_000
    assert words.normalize(text) == RLE * 10_000 + RLI * 10_000 + PDI * 10_000 + PDF * 10_000


@pytest.mark.parametrize(
    "marks",
    [
        "\u0301" * 11_000 + "\u0316" * 11_000,
        "\u0301\u0316" * 11_000,
        "\u0f73" * 21_000,
        ("\u0316" * 30 + PDF) * 350 + ("\u0301" * 30 + PDF) * 350,
        ("\u0316" * 30 + "\ufeff") * 350 + ("\u0301" * 30 + PDI) * 350,
    ],
)
@pytest.mark.parametrize("field", [Prose, Line])
def test_a_heap_of_marks_is_refused_without_being_sorted(
    field: Callable[..., Prose], marks: str
) -> None:
    began = time.process_time()
    with pytest.raises(ValidationError):
        field(longest=100_000).deserialize("a" + marks)
    assert time.process_time() - began < 0.5  # a hundredth of it, and seconds if it were sorted


def test_thirty_marks_on_a_letter_are_accepted_in_every_form() -> None:
    heap = "a" + "\u0316\u0301" * 15
    for form in ("NFC", "NFD"):
        text = unicodedata.normalize(form, heap * 2)
        assert words.normalize(text) == unicodedata.normalize("NFC", heap * 2)
        with pytest.raises(words.TooManyMarksError):
            words.normalize(text + "\u0301")
    assert words.normalize("\u0344" * 15) == "\u0308\u0301" * 15
    with pytest.raises(words.TooManyMarksError):
        words.normalize("\u0344" * 16)


STACKING = ["\u0e47", "\u0e31", "\u0e4d", "\u0e38", "\u0489", "\u20dd", "\u0941", "\u0301\u200d"]
"""Marks of Thai, of class 0 and another; two that enclose; a vowel sign; one with a joiner."""


@pytest.mark.parametrize("mark", STACKING)
def test_marks_of_every_class_are_counted(mark: str) -> None:
    assert words.normalize("ก" + mark * 30).count(mark[0]) == 30
    for many in (31, 2000):
        with pytest.raises(ValidationError):
            Prose(longest=10_000).deserialize("ก" + mark * many)


@pytest.mark.parametrize("mark", STACKING)
def test_eight_marks_on_a_letter_of_a_name_are_accepted(mark: str) -> None:
    name = ("ก" + mark * 8) * 2
    assert Name(longest=60).deserialize(name) == name
    with pytest.raises(ValidationError):
        Name(longest=60).deserialize(name + mark)


@pytest.mark.parametrize(
    "name",
    [
        "ที่นี่มีน้ำใจ ผู้ใหญ่",
        "בְּרֵאשִׁ֖ית בָּרָ֣א",
        "שּׁ\u05b8\u0596\u05bd",
        "Nguyễn Thị Ngữ",
        "क्षत्रिय हिन्दी र्त्स्न्य",
        "কৃষ্ণা",
        "བསྒྲུབས་ ཧཱུྃ",
        "ខ្ញុំ ស្ត្រី",
        "မြန်မာ ကြွေး",
        "مُحَمَّدٌ",
        "தமிழ் ಕನ್ನಡ മലയാളം",
        "👩🏽‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ☀️ 1️⃣",
    ],
)
def test_names_of_every_script_are_accepted(name: str) -> None:
    assert Name(longest=60).deserialize(name) == unicodedata.normalize("NFC", name)


@given(st.text(st.sampled_from("aạǻ\u0301\u0316\u0323\u030a\u0344\u0f73\u0958"), max_size=80))
def test_a_text_that_was_accepted_is_accepted_again(text: str) -> None:
    try:
        normal = words.normalize(text)
    except words.TooManyMarksError:
        return
    assert words.normalize(normal) == normal


def test_words_of_every_script_stay_as_they_are() -> None:
    for text in (
        "Wind,\nand a “lighthouse” 🌊",
        "👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ☀️",
        "می‌خواهم",
        "क्‍ष",
        "ש\u200fa",
        "日本　語",
        "𓀀",
        "\U0001fae8",  # newer than the tables of some Pythons
        "\uf8ff",
    ):
        assert words.normalize(text) == text
        assert words.is_visible(text)


@given(TEXTS)
@example(f"{RLI} \n")
@example(f"e{PDF}\u0301")
@example("\r\ufeff\n")
def test_normalizing_again_changes_nothing(text: str) -> None:
    normal = words.normalize(text)
    assert words.normalize(normal) == normal


@given(TEXTS)
@example(f"{RLE}a{RLI}b{PDF}{PDI}")
def test_no_line_leaves_a_direction_open(text: str) -> None:
    for line in words.normalize(text).split("\n"):
        assert depths(line) == (0, 0)


@given(TEXTS)
def test_nothing_that_is_seen_is_lost_or_added(text: str) -> None:
    assert seen(words.normalize(text)) == seen(text)


@given(TEXTS)
def test_a_normal_text_has_one_kind_of_line_end_and_no_tab(text: str) -> None:
    assert not set(words.normalize(text)) & set("\t\r\v\f\x85\u2028\u2029\ufeff")


@given(TEXTS, st.integers(0, 20), st.sampled_from([Prose, Line]))
@example(f"{RLI}abcd", 5, Prose)
@example("\u0958" * 5, 5, Prose)
def test_a_field_never_accepts_more_than_its_limit(
    text: str, longest: int, kind: Callable[..., Prose]
) -> None:
    try:
        accepted = kind(longest=longest).deserialize(text)
    except ValidationError:
        return
    assert len(accepted) <= longest
    assert kind(longest=longest).deserialize(accepted) == accepted


# Security 10
@pytest.mark.parametrize(
    "name",
    [
        "\u200b",
        "\u200d\u200c",
        "\u2060\u2064",
        "\u00ad",
        "\u034f",
        "\u061c",
        "\u115f\u1160",
        "\u17b4\u17b5",
        "\u180b\u180e",
        "\u200e\u200f",
        "\u2800\u2800",
        "\u3000",
        "\u3164",
        "\ufe0f",
        "\uffa0",
        "\ufff9\ufffb",
        "\ufffc",
        "\uffff",
        "\U0001d159",
        "\U0001d173",
        "\U000e0041\U000e007f",
        "\U000e0100",
        "\u0301\u0489",
        "\u093e",
        f"{LRI}{PDI}",
        f"{RLE} \u200b {PDF}",
        "\xa0\u3164\xa0",
    ],
)
def test_a_name_of_which_nothing_is_seen_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        Name(longest=60).deserialize(name)


@pytest.mark.parametrize(
    "name",
    [
        "Ana",
        ".",
        "1",
        "é",
        "e\u0301",
        "李",
        "👩‍👩‍👧",
        "🇵🇹",
        "\u200fאנה\u200e",
        f"{RLI}אנה{PDI}",
        "\u3164Ana",
        "\uf8ff",
        "♥",
        "\u0627\u200c\u0628",
    ],
)
def test_a_name_of_which_something_is_seen_is_accepted(name: str) -> None:
    assert Name(longest=60).deserialize(name) == words.normalize(name)


@pytest.mark.parametrize("field", [Line, Name])
def test_a_name_is_one_line_without_overrides(field: Callable[..., Prose]) -> None:
    for name in ("a\nb", "a\u2028b", "a\vb", f"a{RLO}b", f"a{LRO}b{PDF}", "a\x1bb", "a\x00b"):
        with pytest.raises(ValidationError):
            field(longest=60).deserialize(name)
    assert field(longest=60).deserialize("Ana\tLima\r\n") == "Ana Lima"


# Security 10
@pytest.mark.parametrize("control", ["\x00", "\x07", "\x1b", "\x1d", "\x7f", "\x80", "\x9f"])
def test_other_control_characters_are_refused(control: str) -> None:
    with pytest.raises(ValidationError):
        Prose(longest=60).deserialize(f"a{control}b")
