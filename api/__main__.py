"""`python -m api init | admin | check-production`: what is beside the web process.

`init` prepares the stores and can be run at every start. `admin` serves the admin app on loopback.
`check-production` says what is not ready for the internet.
Their code is in operators/; the commands keep these names because deployments use them. The
commands for operators are in operators/commands/.
"""

import argparse
import os
import sys

from operators.admin.serving import serve_admin
from operators.commands.stores import CommandError, open_stores, translate_errors
from operators.prepare import prepare
from operators.production import check_production


def parse_arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="apply the graph's schema and prepare the bucket")
    commands.add_parser("admin", help="serve the admin app on loopback")
    check = commands.add_parser("check-production", help="say what is not ready for the internet")
    check.add_argument("--url", default="", help="the API's public URL, to ask the edge too")
    check.add_argument("--http-url", default="", help="if HTTP has another port than 80")
    return parser.parse_args()


def main() -> int:
    """Run the command; returns the exit status."""
    arguments = parse_arguments()
    try:
        if arguments.command == "admin":
            with translate_errors():
                serve_admin()
            return 0
        if arguments.command == "check-production":
            return _check_production(arguments)
        with open_stores() as (graph, storage):
            for line in prepare(graph, storage):
                print(line, flush=True)
    except CommandError as error:
        error.show()
        return error.exit_code
    return 0


def _check_production(arguments: argparse.Namespace) -> int:
    """Print every finding; returns 1 if something is not so."""
    findings = check_production(os.environ, arguments.url, http_url=arguments.http_url)
    for finding in findings:
        print(finding, flush=True)
    return int(any(finding.problem for finding in findings))


if __name__ == "__main__":
    sys.exit(main())
