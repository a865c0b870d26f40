"""The settings of notices."""

from environs import Env, validate

from workers.notices.due import NoticeTimes

LONGEST_SECONDS = 86_400


def read_times(env: Env) -> NoticeTimes:
    """NOTICE_WINDOW_SECONDS and NOTICE_DELAY_SECONDS. `env.seal()` raises all errors together."""
    seconds = validate.Range(min=1, max=LONGEST_SECONDS)
    window = env.int("NOTICE_WINDOW_SECONDS", 600, validate=seconds) or 0
    delay = env.int("NOTICE_DELAY_SECONDS", 30, validate=seconds) or 0
    return NoticeTimes(delay_ms=delay * 1000, window_ms=window * 1000)
