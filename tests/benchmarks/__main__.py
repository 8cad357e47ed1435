"""What the project measures of itself: `python -m tests.benchmarks phase`, and `catalogue`, `copy` or `repository`."""

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    from tests.benchmarks import catalogue, phase
    from tests.benchmarks.copying import command
    from tests.benchmarks.repository import command as repository

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    measures = parser.add_subparsers(required=True, metavar="phase|catalogue|copy|repository")
    for name, module in (
        ("phase", phase),
        ("catalogue", catalogue),
        ("copy", command),
        ("repository", repository),
    ):
        about = module.__doc__ or ""
        each = measures.add_parser(name, description=about, help=about.partition("\n")[0])
        module.add(each)
        each.set_defaults(run=module.run)
    asked = parser.parse_args(arguments)
    return int(asked.run(asked))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
