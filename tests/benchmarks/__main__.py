"""What the project measures of itself: `python -m tests.benchmarks phase`, and `catalogue` or `copy` in its place."""

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    from tests.benchmarks import catalogue, phase
    from tests.benchmarks.copying import command

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    measures = parser.add_subparsers(required=True, metavar="phase|catalogue|copy")
    for name, module in (("phase", phase), ("catalogue", catalogue), ("copy", command)):
        about = module.__doc__ or ""
        each = measures.add_parser(name, description=about, help=about.partition("\n")[0])
        module.add(each)
        each.set_defaults(run=module.run)
    asked = parser.parse_args(arguments)
    return int(asked.run(asked))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
