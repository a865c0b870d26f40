import pytest

from graph.queries import HeaderError, load, parse

HEADER = "// cypher/a/b.cypher: one thing.\n"


def test_a_header_is_read_with_lines_that_go_on() -> None:
    query = parse(
        "a/b",
        "// cypher/a/b.cypher: one thing,\n// said in two lines.\n// $id: integer\n"
        "// returns: x, y\n// index: User(id);\n//   Post(id)\nMATCH (n {id: $id}) RETURN 1",
    )
    assert query.summary == "one thing, said in two lines."
    assert query.parameters == {"id": "integer"}
    assert query.returns == ("x", "y")
    assert query.index == ("User(id)", "Post(id)")
    assert query.text == "MATCH (n {id: $id}) RETURN 1"


@pytest.mark.parametrize(
    "source",
    [
        "// returns: x\n// index: nothing\nRETURN 1 AS x",
        HEADER + "// index: nothing\nRETURN 1 AS x",
        HEADER + "// returns: x\nRETURN 1 AS x",
        HEADER + "// returns: x\n// index: nothing\nRETURN $x AS x",
        HEADER + "// $y: integer\n// returns: x\n// index: nothing\nRETURN 1 AS x // $y",
    ],
    ids=["no first line", "no returns", "no index", "undeclared", "unused"],
)
def test_a_header_that_does_not_tell_the_truth_is_refused(source: str) -> None:
    with pytest.raises(HeaderError):
        parse("a/b", source)


def test_a_query_is_loaded_by_one_module_alone() -> None:
    with pytest.raises(HeaderError, match="twice"):
        load("users/visible")
