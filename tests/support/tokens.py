"""The key of the tests' tokens. Apps of tests and the stack of the tests have the same one."""

from api.services.tokens import PREFIX, Token, TokenKeys

TOKEN_KEY = "the key of the tests of tokens"
TOKENS = TokenKeys([TOKEN_KEY])


def old_text_of(token: Token) -> str:
    """The text of the token as older versions made it, without a MAC."""
    return PREFIX + TOKENS.sign(token).removeprefix(PREFIX)[:64]
