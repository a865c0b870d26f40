"""`python -m api init | admin`: the processes beside the web process.

`init` prepares the stores and can be run at every start. `admin` serves the admin app on loopback.
Their code is in operators/; the commands keep these names because deployments use them. The
commands for operators are in operators/commands/.
"""

import argparse
import sys

from operators.admin.serving import serve_admin
from operators.commands.stores import CommandError, open_stores, translate_errors
from operators.prepare import prepare


def parse_arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="apply the graph's schema and prepare the bucket")
    commands.add_parser("admin", help="serve the admin app on loopback")
    return parser.parse_args()


def main() -> int:
    """Run the command; returns the exit status."""
    arguments = parse_arguments()
    try:
        if arguments.command == "admin":
            with translate_errors():
                serve_admin()
            return 0
        with open_stores() as (graph, storage):
            for line in prepare(graph, storage):
                print(line, flush=True)
    except CommandError as error:
        error.show()
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
