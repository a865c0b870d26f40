"""`python -m bench [--rows F1,R1]`, `bench compare A.json B.json`, `bench report A.json`."""

import argparse
import signal
import sys
from pathlib import Path

from bench.report import picture, results
from bench.report import tables as report
from bench.report.compare import compared
from bench.rows.table import chosen
from bench.run import Asked, run
from stack import StackError
from stack.settings import ROOT

PAGE = ROOT / "docs" / "performance.md"
"""Where the tables are shown: `--write-docs`."""

SECONDS = 3.0
"""Of one side of one round, where a row is measured by time."""
QUICK_SECONDS = 0.3


def main(arguments: list[str]) -> int:
    """0; 1 where a row's result was wrong or it broke; 2 where what is asked cannot be done."""
    asked = _parser().parse_args(_with_a_command(arguments))
    try:
        match asked.command:
            case "compare":
                print(compared(results.read(asked.a), results.read(asked.b)))
                return 0
            case "report":
                return _report(asked)
            case _:
                return _run(asked)
    except (LookupError, ValueError, StackError, OSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(asked: argparse.Namespace) -> int:
    rows = chosen(asked.rows)
    seconds = QUICK_SECONDS if asked.quick else asked.seconds
    result = run(
        rows, Asked(quick=asked.quick, seed=asked.seed, seconds=seconds, growth=asked.growth)
    )
    path = results.write(result, asked.out)
    path.with_suffix(".md").write_text(report.markdown(result))
    if result["growth"]:
        path.with_suffix(".svg").write_text(picture.svg(result["growth"]))
    print(report.terminal(result))
    print(f"\n{path}")
    if asked.write_docs:
        report.write_into(PAGE, result)
    return int(results.failed(result))


def _report(asked: argparse.Namespace) -> int:
    result = results.read(asked.file)
    print(report.terminal(result))
    if asked.write_docs:
        report.write_into(PAGE, result)
    return 0


def _with_a_command(arguments: list[str]) -> list[str]:
    """`python -m bench --rows F1` is short for `python -m bench run --rows F1`."""
    named = arguments[:1] and arguments[0] in ("run", "compare", "report", "-h", "--help")
    return arguments if named else ["run", *arguments]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_subparsers(dest="command", required=True).add_parser
    running = add("run", help="measure (the same without this word)")
    running.add_argument("--rows", default="", help="some rows only, as F1,R1")
    running.add_argument("--quick", action="store_true", help="small sizes, judge no time")
    running.add_argument("--seed", type=int, default=1, help="of all that is drawn at random")
    running.add_argument("--seconds", type=float, default=SECONDS, help="of a side of a round")
    running.add_argument("--growth", action="store_true", help="graphs of 10 k to 1 M users too")
    running.add_argument("--out", type=Path, default=ROOT / "bench" / "results", help="a folder")
    running.add_argument("--write-docs", action="store_true", help=f"the tables into {PAGE.name}")
    both = add("compare", help="two result files side by side")
    both.add_argument("a", type=Path)
    both.add_argument("b", type=Path)
    one = add("report", help="the tables of a result file")
    one.add_argument("file", type=Path)
    one.add_argument("--write-docs", action="store_true", help=f"into {PAGE.name} too")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # its servers stop with it
    sys.exit(main(sys.argv[1:]))
