"""`python -m bench [--rows F1,R1]`, `bench compare A.json B.json`, `bench report A.json`."""

import argparse
import signal
import sys
from pathlib import Path

from bench.report import picture, results, tables
from bench.report.compare import compare
from bench.rows.table import select_rows
from bench.run import Options, run_rows
from stack import StackError
from stack.settings import ROOT

PAGE = ROOT / "docs" / "performance.md"
"""The page that `--write-docs` puts the tables into."""

SECONDS = 3.0
"""Time of one side of one round, in rows that are measured for a time."""
QUICK_SECONDS = 0.3
"""The same in a quick run."""


def main(arguments: list[str]) -> int:
    """0; 1 if a row's result was wrong or a row failed; 2 if the options cannot be met."""
    options = _parser().parse_args(_with_command(arguments))
    try:
        match options.command:
            case "compare":
                print(compare(results.read(options.a), results.read(options.b)))
                return 0
            case "report":
                return _report(options)
            case _:
                return _run(options)
    except (LookupError, ValueError, StackError, OSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    rows = select_rows(options.rows)
    result = run_rows(
        rows,
        Options(
            quick=options.quick,
            seed=options.seed,
            seconds=QUICK_SECONDS if options.quick else options.seconds,
            growth=options.growth,
        ),
    )
    path = results.write(result, options.out)
    path.with_suffix(".md").write_text(tables.markdown(result))
    if result["growth"]:
        path.with_suffix(".svg").write_text(picture.svg(result["growth"]))
    print(tables.terminal(result))
    print(f"\n{path}")
    if options.write_docs:
        tables.update_page(PAGE, result)
    return int(results.has_failures(result))


def _report(options: argparse.Namespace) -> int:
    result = results.read(options.file)
    print(tables.terminal(result))
    if options.write_docs:
        tables.update_page(PAGE, result)
    return 0


def _with_command(arguments: list[str]) -> list[str]:
    """`python -m bench --rows F1` is short for `python -m bench run --rows F1`."""
    named = arguments[:1] and arguments[0] in ("run", "compare", "report", "-h", "--help")
    return arguments if named else ["run", *arguments]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_subparsers(dest="command", required=True).add_parser
    run = add("run", help="measure rows (the default command)")
    run.add_argument("--rows", default="", help="only these rows, such as F1,R1")
    run.add_argument("--quick", action="store_true", help="small sizes; no time is judged")
    run.add_argument("--seed", type=int, default=1, help="of all random choices")
    run.add_argument("--seconds", type=float, default=SECONDS, help="of one side of one round")
    run.add_argument("--growth", action="store_true", help="also graphs of 10 k to 1 M users")
    run.add_argument("--out", type=Path, default=ROOT / "bench" / "results", help="a folder")
    run.add_argument("--write-docs", action="store_true", help=f"put the tables into {PAGE.name}")
    compare_ = add("compare", help="show two result files side by side")
    compare_.add_argument("a", type=Path)
    compare_.add_argument("b", type=Path)
    report = add("report", help="show the tables of a result file")
    report.add_argument("file", type=Path)
    report.add_argument("--write-docs", action="store_true", help=f"put them into {PAGE.name} too")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the servers stop too
    sys.exit(main(sys.argv[1:]))
