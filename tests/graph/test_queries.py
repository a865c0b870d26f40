import pytest

from graph import Graph, schema
from graph.queries import LOADED, HeaderError, load, parse
from tests.support.town import Town

HEADER = "// cypher/a/b.cypher: one thing.\n"


def test_a_header_may_have_continuation_lines() -> None:
    query = parse(
        "a/b",
        "// cypher/a/b.cypher: one thing,\n// in two lines.\n// $id: integer\n"
        "// returns: x, y\n// index: User(id);\n//   Post(id)\nMATCH (n {id: $id}) RETURN 1",
    )
    assert query.summary == "one thing, in two lines."
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
def test_a_wrong_header_is_refused(source: str) -> None:
    with pytest.raises(HeaderError):
        parse("a/b", source)


def test_only_one_module_can_load_a_query() -> None:
    with pytest.raises(HeaderError, match="twice"):
        load("users/visible")


def test_every_query_to_warm_is_loaded_by_some_module() -> None:
    assert set(schema.WARM_QUERIES) <= LOADED.keys()


def test_applying_the_schema_again_and_warming_up_change_nothing(graph: Graph, town: Town) -> None:
    def contents() -> list[dict[str, object]]:
        return town.query("SHOW CONSTRAINTS YIELD name RETURN name ORDER BY name") + town.query(
            "MATCH (one) WHERE one.id = 1 OR one.user_id = 1 RETURN count(*) AS matches"
        )

    before = contents()
    schema.apply(graph.connection)
    schema.warm(graph.connection)
    assert contents() == before
    assert before[-1] == {"matches": 0}
