"""The times of notices in a drill: short, so that every user gets many of them."""

WINDOW_SECONDS = 20
"""The shortest time between two notices of a user."""
DELAY_SECONDS = 2
"""How long after the newest post a notice is due."""
NOTICE_ENV = {
    "NOTICE_WINDOW_SECONDS": str(WINDOW_SECONDS),
    "NOTICE_DELAY_SECONDS": str(DELAY_SECONDS),
}
"""The settings of processes with these times."""
