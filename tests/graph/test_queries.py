import pytest

from graph import Graph, schema
from graph.queries import LOADED, HeaderError, load, parse
from tests.support.maker import Maker

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


def test_what_is_asked_in_advance_is_a_query_that_some_module_has() -> None:
    assert set(schema.WARMED) <= LOADED.keys()


def test_applying_the_schema_again_and_warming_change_nothing(graph: Graph, make: Maker) -> None:
    def everything() -> list[dict[str, object]]:
        return make.cypher("SHOW CONSTRAINTS YIELD name RETURN name ORDER BY name") + make.cypher(
            "MATCH (one) WHERE one.id = 1 OR one.user_id = 1 RETURN count(*) AS of_nobody"
        )

    before = everything()
    schema.apply(graph.connection)
    schema.warm(graph.connection)
    assert everything() == before
    assert before[-1] == {"of_nobody": 0}
