import pytest

from tests.drill.script import ANA, BEN, Script


@pytest.fixture
def script() -> Script:
    """Ben follows Ana, who has posted 10 and 20."""
    script = Script()
    script.post(ANA, 10)
    script.follow(BEN, ANA)
    script.post(ANA, 20)
    return script
