"""The phases of the drill of the alerts: a trouble each, and the alerts that belong to it."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus

from drill.alerts.troubles import (
    Scene,
    Trouble,
    away,
    enqueue_foreign_job,
    forge_tokens,
    frozen,
    guess_admin_password,
    guess_passwords,
    open_stream,
    quarantine,
    refusing,
    repeated,
    stuttering,
)
from drill.stage.programs import APIS, NOTIFIERS

FANOUTS = ("fanout", "fanout-2", "fanout-large")
LATE = frozenset({"WorkIsLate", "PostsAreSlowToAppear", "LargeAudiencesWait", "NoticesAreLate"})
"""What may follow from any store or worker that is away: work is done later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A time with troubles, or without one."""

    name: str
    seconds: float
    """The longest time; it ends when all `expected` have fired."""
    troubles: Sequence[Trouble] = ()
    expected: frozenset[str] = field(default=frozenset())
    """The alerts that must fire."""
    allowed: frozenset[str] = field(default=frozenset())
    """Those that may fire too. Any other one is a false alarm."""

    def begin(self, scene: Scene) -> AbstractContextManager[object]:
        """All troubles; they end with the context."""
        with ExitStack() as stack:
            for trouble in self.troubles:
                stack.enter_context(trouble(scene))
            return stack.pop_all()

    def has_all(self, fired: Collection[str]) -> bool:
        """Whether everything expected has fired. A phase without it lasts its whole time."""
        return bool(self.expected) and self.expected <= set(fired)

    def faults(self, fired: Collection[str]) -> Iterator[str]:
        """What is wrong with what has fired, a sentence each."""
        for name in sorted(self.expected - set(fired)):
            yield f"{self.name}: {name} did not fire"
        for name in sorted(set(fired) - self.expected - self.allowed):
            yield f"{self.name}: {name} is a false alarm"


PHASES = (
    Phase(name="calm", seconds=150),
    Phase(
        name="Neo4j is away",
        seconds=150,
        troubles=[away("neo4j")],
        expected=frozenset({"StoreDown", "WorkIsNotMeasured", "ServerErrors", "StoreIsLeftAlone"}),
        allowed=LATE | {"FailingOpen", "FeedsFromTheGraph", "SweeperRingsMuch"},
    ),
    Phase(
        name="the cache is away",
        seconds=240,
        troubles=[away("cache"), repeated(open_stream, every=0.5)],
        expected=frozenset(
            {"StoreDown", "ServerErrors", "FailingOpen", "FeedsFromTheGraph", "LiveStreamsRefused"}
        ),
        allowed=LATE | {"StoreIsLeftAlone", "SweeperRingsMuch", "LiveNewsAreLate"},
    ),
    Phase(
        name="the queue is away",
        seconds=120,
        troubles=[away("queue")],
        expected=frozenset({"StoreDown", "FailingOpen"}),
        allowed=LATE | {"StoreIsLeftAlone", "SweeperRingsMuch", "ServerErrors"},
    ),
    Phase(
        name="S3 is away",
        seconds=120,
        troubles=[away("s3")],
        expected=frozenset({"StoreDown"}),
        allowed=LATE | {"StoreIsLeftAlone", "ServerErrors"},
    ),
    Phase(
        name="the API cannot ring",
        seconds=240,
        troubles=[away("queue", APIS)],
        expected=frozenset({"SweeperRingsMuch", "FailingOpen"}),
        allowed=LATE | {"StoreIsLeftAlone", "ServerErrors"},
    ),
    Phase(
        name="workers stutter",
        seconds=240,
        troubles=[stuttering(FANOUTS, stopped=12, running=2)],
        expected=frozenset({"PostsAreSlowToAppear"}),
        allowed=LATE | {"SweeperRingsMuch"},
    ),
    Phase(
        name="the push service is down",
        seconds=240,
        troubles=[refusing(HTTPStatus.SERVICE_UNAVAILABLE)],
        expected=frozenset({"PushServiceFails"}),
        allowed=frozenset({"NoticesAreLate"}),
    ),
    Phase(
        name="strangers try, and the push service refuses",
        seconds=480,
        troubles=[
            repeated(guess_passwords, every=0.15),
            repeated(forge_tokens, every=0.03),
            repeated(guess_admin_password, every=1.0),
            repeated(enqueue_foreign_job, every=20.0),
            refusing(HTTPStatus.FORBIDDEN),
            quarantine,
        ],
        expected=frozenset(
            {
                *("PasswordsAreGuessed", "TokensForged", "AdminPasswordIsGuessed", "JobsRefused"),
                *("PushRefused", "EventsInQuarantine"),
            }
        ),
        allowed=frozenset({"PushServiceFails", "NoticesAreLate"}),
    ),
    Phase(
        name="no worker works",
        seconds=420,
        troubles=[frozen((*FANOUTS, *NOTIFIERS))],
        expected=frozenset({"WorkIsLate", "WorkIsOwedForLong"}),
        allowed=LATE | {"SweeperRingsMuch", "JobsRefused"},
    ),
)
"""In this order: what looks back for an hour is last but one."""

NOT_PROVOKED = frozenset({"ExportsWait", "LargeAudiencesWait", "NoticesAreLate", "LiveNewsAreLate"})
"""They need hours, or minutes of a large load: tests/operators/alerts.yml alone has their
examples."""
