"""The users of the two Redis servers: each role may do what its processes do, and no more.

The lines are those of an ACL file of Redis 7: a user may call the commands of the line on its keys,
and those in parentheses on theirs. Commands that a script calls need the same rights.
"""

import hashlib
from collections.abc import Mapping

CONNECT = "+hello +auth +select +ping +client|setname +client|setinfo +client|info +info"
"""What a client library sends on its own."""

ENQUEUE = (
    "+multi +exec +discard (+hset %W~rq:job:*) (+rpush +llen ~rq:queue:*) (+sadd %W~rq:queues)"
)
"""What enqueues an RQ job and reads the length of a queue. It takes no job and reads none."""

JOB_COMMANDS = (
    "+del +exists +expire +persist +get +set +mget +time "
    "+hset +hget +hmget +hgetall +hexists +hdel +hincrby +hincrbyfloat "
    "+sadd +srem +smembers +scard +zadd +zrem +zrange +zrangebyscore +zremrangebyscore +zscore "
    "+zcard +zcount +llen +lrange +lrem +lpos +rpush +lpush +xadd +xlen +xread +xrevrange +xrange "
    "+multi +exec +discard +watch +unwatch"
)
"""What RQ calls on its keys, but for what takes a job from a queue."""

TAKE_JOBS = "+lmove +blmove +lpop +blpop +rename +subscribe +unsubscribe &rq:pubsub:*"
"""Only workers may take jobs. They listen for RQ's commands too, which nobody may publish."""

SCRIPTS = "+eval +evalsha +script|load"

CACHE_COMMANDS = (
    "+get +set +del +unlink +mget +getdel +exists +expire +ttl +pttl +pexpire "
    "+incr +incrby +decrby "
    "+lrange +llen +lpos +lindex +lpop +rpop +rpush +rpushx +ltrim +sort +sadd +srem +spop "
    "+time +dbsize +flushdb"
)
"""What timelines, bodies, sessions, limits and their scripts use. FLUSHDB empties a cache that came
back with old data (decision 0007), which each new connection checks."""

CACHE_KEYS = (
    "~tl:* ~tb:* ~tf:* ~tw:* ~p:* ~am:* ~ch:* ~cl:* ~rp:* ~nt:* ~rl:* ~le:* ~generation "
    "%R~rq:queues"
)

RULES: Mapping[str, Mapping[str, str]] = {
    "queue": {
        "api": f"{CONNECT} {ENQUEUE} (+set %W~bell:*)",
        "worker": (
            f"~rq:* ~bell:* ~step:* ~sw:* ~nl:* ~nr:* "
            f"{CONNECT} {JOB_COMMANDS} {TAKE_JOBS} {SCRIPTS}"
        ),
        "admin": f"~rq:* ~bell:* {CONNECT} {JOB_COMMANDS}",
    },
    "cache": {
        "api": f"{CACHE_KEYS} ~s:* ~lk:* {CONNECT} {CACHE_COMMANDS} {SCRIPTS}",
        "worker": (
            f"{CACHE_KEYS} {CONNECT} {CACHE_COMMANDS} +client|no-touch {SCRIPTS} (+del %W~s:*)"
        ),
        "admin": CONNECT,
    },
}
"""By server and role. Workers remove the copies of sessions, and can neither read nor write them: a
copy that is written signs in."""

NEWER_COMMANDS = ("+client|no-touch ",)
"""Of Redis 7.2. An older server refuses a user who has them, and does without."""


def user_lines(server: str, passwords: Mapping[str, str], *, is_older: bool = False) -> list[str]:
    """The lines of the server's users, with the hashes of these passwords, by role.

    `is_older`: the server is older than Redis 7.2.
    """
    lines = [
        _line(role, f"#{hashlib.sha256(password.encode()).hexdigest()}", RULES[server][role])
        for role, password in passwords.items()
    ]
    for command in NEWER_COMMANDS if is_older else ():
        lines = [line.replace(command, "") for line in lines]
    return lines


def example_lines(server: str) -> list[str]:
    """The lines of an ACL file for an external server, with passwords to be replaced."""
    roles = [_line(role, f">PASSWORD-OF-{role}", rules) for role, rules in RULES[server].items()]
    return ["user default reset on >PASSWORD-OF-default ~* &* +@all", *roles]


def _line(role: str, password: str, rules: str) -> str:
    return f"user {role} reset on {password} {rules}"
