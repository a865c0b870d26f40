"""`python -m web_push`: prints the public key of VAPID_PRIVATE_KEY, which the API needs."""

import sys

from environs import Env, EnvValidationError

from web_push.settings import WebPushSettings


def main() -> int:
    """Print the key, or what is wrong with the private one; returns the exit status."""
    try:
        print(WebPushSettings.from_env(Env()).public_key)
    except EnvValidationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
