"""Limits of guesses: failures are counted for an account and a network, never for an account alone.

So nobody locks an owner out by guessing elsewhere. Sign-ins with the right password have looser
limits of their own: each costs a hash and a session. Each request is counted before its password is
checked, so many requests at once do not pass a quota. If the password is right, the failure is
refunded; if the request could not be done, all of it is. These limits hold without the cache too.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from api.http import context, security_events
from api.http.limits import (
    DAY,
    HOUR,
    MINUTE,
    client_network,
    client_range,
    record,
    scale,
)
from api.services.errors import (
    AccountSuspendedError,
    TooBusyError,
    WrongCredentialsError,
    WrongPasswordError,
)
from graph.errors import GraphUnavailableError
from graph.users import fold_username
from storage.firm_limits import Bucket, Charged
from storage.limits import Policy

FAILURES = Policy(name="sign-in-failures", quota=10, window_seconds=15 * MINUTE)
"""Failed sign-ins to one account from one network."""

FAILURES_FROM_RANGE = Policy(name="sign-in-failures-from-range", quota=100, window_seconds=HOUR)
"""Failed sign-ins to one account from one range: who has a /48 has 65,536 networks."""

FAILURES_OF_NETWORK = Policy(
    name="sign-in-failures-of-network", quota=100, window_seconds=5 * MINUTE
)
"""Failed sign-ins to all accounts from one network: passwords stolen elsewhere, tried on many."""

FAILURES_OF_RANGE = Policy(name="sign-in-failures-of-range", quota=500, window_seconds=5 * MINUTE)
"""Failed sign-ins to all accounts from one range."""

SIGN_INS = Policy(name="sign-ins", quota=60, window_seconds=HOUR)
"""Sign-ins to one account from one network, failed ones too. More than can fail in the time: who
guesses at the owner's address leaves the owner some."""

SIGN_INS_OF_NETWORK = Policy(name="sign-ins-of-network", quota=200, window_seconds=5 * MINUTE)
"""Sign-ins to all accounts from one network: who has many accounts, too."""

SIGN_INS_OF_RANGE = Policy(name="sign-ins-of-range", quota=1_000, window_seconds=5 * MINUTE)
"""Sign-ins to all accounts from one range."""

SIGN_UPS = Policy(name="sign-ups", quota=30, window_seconds=HOUR)
"""Sign-ups from one network, refused ones too: those show which usernames are taken."""

SIGN_UPS_OF_RANGE = Policy(name="sign-ups-of-range", quota=300, window_seconds=HOUR)
"""Sign-ups from one range."""

PASSWORD_CHANGES = Policy(name="password-changes", quota=10, window_seconds=5 * MINUTE)
"""Password changes by one session, refused ones too. By a session, because who has stolen one must
not keep the owner from changing the password."""

PASSWORD_GUESSES = Policy(name="password-guesses", quota=10, window_seconds=15 * MINUTE)
"""Wrong passwords in password changes by one session. A request has two: the new password counts as
the current one if it is set already."""

PASSWORD_GUESSES_A_DAY = Policy(name="password-guesses-a-day", quota=60, window_seconds=DAY)
"""The same in a day: a stolen session lasts for weeks."""

GUESSES_A_CHANGE = 2


@contextmanager
def counted_sign_in(username: str) -> Iterator[None]:
    """Count the block's sign-in, as a failure too if it raises WrongCredentialsError.

    The same for a username that nobody has. Raises TooManyRequestsError.
    """
    failure, sign_in = _charge_sign_in(fold_username(username))
    try:
        with _refunded_unless(WrongCredentialsError, failure):
            yield
    except WrongCredentialsError as error:
        security_events.record("sign-in-failed", error.user_id)
        raise
    except AccountSuspendedError as error:
        security_events.record("sign-in-suspended", error.user_id)
        raise
    except BaseException:  # it was not done, whatever the reason
        context.storage().firm_limits.refund(sign_in)
        raise
    _note(sign_in)


@contextmanager
def counted_sign_up() -> Iterator[None]:
    """Count the block's sign-up, unless it is 503. Raises TooManyRequestsError."""
    network, around = client_network(), client_range()
    charged = _charge([_bucket(SIGN_UPS, network), _bucket(SIGN_UPS_OF_RANGE, around)], slot=around)
    _require_allowed(charged, "sign-up-refused")
    try:
        yield
    except (TooBusyError, GraphUnavailableError):
        context.storage().firm_limits.refund(charged)
        raise
    finally:
        _note(charged)


@contextmanager
def counted_password_change() -> Iterator[None]:
    """Count the block's password change, and its guesses if it raises WrongPasswordError.

    Raises TooManyRequestsError.
    """
    user_id, session = context.viewer_id(), f"session {context.viewer().session_id}"
    changes = [_bucket(PASSWORD_CHANGES, session)]
    guesses = [
        _bucket(PASSWORD_GUESSES, session, GUESSES_A_CHANGE),
        _bucket(PASSWORD_GUESSES_A_DAY, session, GUESSES_A_CHANGE),
    ]
    for buckets in (changes, guesses):
        charged = _charge(buckets, slot=session)
        _require_allowed(charged, "password-change-refused", user_id)
    try:
        with _refunded_unless(WrongPasswordError, charged):
            yield
    except WrongPasswordError:
        security_events.record("password-change-failed", user_id)
        raise


@contextmanager
def _refunded_unless(failure: type[Exception], charged: Charged) -> Iterator[None]:
    """Refund what was charged, unless the block raises this error."""
    try:
        yield
    except failure:
        _note(charged)
        raise
    except BaseException:
        context.storage().firm_limits.refund(charged)
        raise
    context.storage().firm_limits.refund(charged)


def _charge_sign_in(account: str) -> tuple[Charged, Charged]:
    """What a sign-in is charged to: as a failure, and as a sign-in. Raises TooManyRequestsError.

    From a network where the account has signed in before, to the account's buckets there alone.
    The graph is asked about that only once others have used up a quota.
    """
    network, around = client_network(), client_range()
    failures = [
        _bucket(FAILURES, f"{account} {network}"),
        _bucket(FAILURES_FROM_RANGE, f"{account} {around}"),
        _bucket(FAILURES_OF_NETWORK, network),
        _bucket(FAILURES_OF_RANGE, around),
    ]
    sign_ins = [
        _bucket(SIGN_INS, f"{account} {network}"),
        _bucket(SIGN_INS_OF_NETWORK, network),
        _bucket(SIGN_INS_OF_RANGE, around),
    ]
    charged = _charge(failures + sign_ins, slot=around)
    own = [charged.uses[0], charged.uses[len(failures)]]
    if not charged.is_allowed and all(use.allowed for use in own) and _is_known(account, network):
        failures, sign_ins = failures[:1], sign_ins[:1]
        charged = _charge(failures + sign_ins, slot=around)
    _require_allowed(charged, "sign-in-refused")
    return charged.split(len(failures))


def _is_known(account: str, network: str) -> bool:
    return context.graph().users.knows_network(account, network)


def _bucket(policy: Policy, subject: str, amount: int = 1) -> Bucket:
    scaled = scale(policy, context.settings().limits_scale)
    return Bucket(policy=scaled, subject=subject, amount=amount)


def _charge(buckets: Sequence[Bucket], *, slot: str) -> Charged:
    return context.storage().firm_limits.charge(buckets, slot=slot)


def _require_allowed(charged: Charged, event: str, user_id: int | None = None) -> None:
    """Raise TooManyRequestsError for the quota that is used up for the longest time, if any is."""
    uses = zip(charged.charges, charged.uses, strict=True)
    refused = [(charge.policy, use) for charge, use in uses if not use.allowed]
    if refused:
        security_events.record(event, user_id)
        record(*max(refused, key=lambda pair: pair[1].reset_seconds))


def _note(charged: Charged) -> None:
    """Note the first use for the response's headers; the others are also of others."""
    record(charged.charges[0].policy, charged.uses[0])
