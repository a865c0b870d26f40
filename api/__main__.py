"""`python -m api init | admin`: what is run beside the web process.

`init` prepares the stores and may be run at every start; `admin` serves the operators' pages on
loopback. Both stand in operators/; their names here are a contract with those who run us. What
operators type by hand is in operators/commands/.
"""

import argparse
import sys

from operators.admin.serving import serve_admin
from operators.commands.opening import CommandError, opened_stores, saying
from operators.prepare import prepare


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="apply the graph's schema and prepare the bucket")
    commands.add_parser("admin", help="serve the operators' pages on loopback")
    return parser.parse_args()


def main() -> int:
    """Run what was asked for; the exit status."""
    asked = arguments()
    try:
        if asked.command == "admin":
            with saying():
                serve_admin()
            return 0
        with opened_stores() as (graph, storage):
            for line in prepare(graph, storage):
                print(line, flush=True)
    except CommandError as error:
        error.show()
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
