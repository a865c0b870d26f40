from tests.drill.script import ANA, Script, kinds


def test_an_operation_without_an_end_may_have_taken_effect(script: Script) -> None:
    script.post(ANA, 30, phase="info")
    del script.lines[-1]
    script.read(ANA, (30, ANA), (20, ANA), (10, ANA))
    assert kinds(script) == []
