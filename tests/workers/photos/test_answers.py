"""The answer of a child: nothing that a hostile child writes gets past the worker."""

import ast
import json
from pathlib import Path

import pytest

from tests.support import images
from workers.photos import answers, imaging
from workers.photos.errors import PROCESSING_FAILED, ImageRefusedError
from workers.photos.imaging import examine_and_render

JPEG = b"\xff\xd8\xff.\xff\xd9"
HEADER = {"width": 64, "height": 96, "blurhash": "L" * 28, "lengths": [6, 6, 6]}


def answer(changes: dict[str, object], body: bytes = JPEG * 3) -> bytes:
    return json.dumps(HEADER | changes).encode() + b"\n" + body


def code_of(data: bytes) -> str:
    with pytest.raises(ImageRefusedError) as refused:
        answers.parse(data)
    return refused.value.code


def test_an_answer_is_the_result_of_the_pure_function() -> None:
    data = images.jpeg()
    rendered = answers.parse(answers.of_picture(data, "image/jpeg"))
    assert rendered == examine_and_render(data, "image/jpeg")


def test_a_refusal_is_answered_by_its_code() -> None:
    assert code_of(answers.of_picture(b"words", "image/jpeg")) == "not-an-image"


def test_an_exception_is_answered_with_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_data: bytes, _declared: str) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(answers, "examine_and_render", fail)
    with pytest.raises(ImageRefusedError) as refused:
        answers.parse(answers.of_picture(b"", "image/jpeg"))
    assert refused.value.code == PROCESSING_FAILED
    assert "RuntimeError: a bug" in refused.value.__notes__[0]


def test_every_code_of_the_examination_is_known() -> None:
    raised = {
        text.value
        for node in ast.walk(ast.parse(Path(imaging.__file__).read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ImageRefusedError"
        for text in ast.walk(node.args[0])
        if isinstance(text, ast.Constant)
    }
    assert raised == imaging.REFUSAL_CODES


def test_a_well_formed_answer_is_taken() -> None:
    assert answers.parse(answer({})).width == 64


# Security 15
@pytest.mark.parametrize(
    "changes",
    [
        {"width": "x"},
        {"width": 0},
        {"width": -64, "height": -96},
        {"width": 1.5},
        {"width": True},
        {"width": 10**30},
        {"width": 40_000, "height": 40_000},
        {"height": None},
        {"lengths": [6, 6]},
        {"lengths": [6, 6, 6, 6]},
        {"lengths": [18, 0, 0]},
        {"lengths": [24, -6, 0]},
        {"lengths": 18},
        {"blurhash": ""},
        {"blurhash": "L" * 29},
        {"blurhash": "<b>" + "L" * 25},
        {"blurhash": "\n" * 28},
        {"blurhash": 28},
        {"code": "<script>"},
        {"code": ["truncated"]},
        {"code": None},
        {"unknown": "x" * 10_000},
    ],
)
def test_a_malformed_header_is_refused(changes: dict[str, object]) -> None:
    assert code_of(answer(changes)) == PROCESSING_FAILED


# Security 15
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"[]\n" + JPEG * 3,
        b"null\n" + JPEG * 3,
        b"1e999\n",
        b"[" * 8_000 + b"\n",
        b"{" + b" " * 20_000 + b"}\n",
        b"\xff\xfe\n",
        answer({}, b"<html>" * 3),
        answer({}, JPEG * 3 + b"."),
        answer({}, JPEG * 2),
        answer({}, b""),
        answer({}, JPEG * 2 + b"\xff\xd8\xff..."),
        JPEG * 3,
    ],
)
def test_a_malformed_answer_is_refused(data: bytes) -> None:
    assert code_of(data) == PROCESSING_FAILED
