"""A Kubernetes cluster of one node on this machine, as root: `python tests/cluster up`."""

import argparse
import os
import sys
import time
from pathlib import Path

from node import cluster, image, layout, programs
from node.errors import ClusterError
from node.layout import Layout


def main(arguments: list[str]) -> int:
    cut = arguments.index("kubectl") + 1 if "kubectl" in arguments else len(arguments)
    asked = _parser().parse_args(arguments[:cut], argparse.Namespace(words=arguments[cut:]))
    try:
        asked.run(asked)
    except (ClusterError, ValueError) as error:
        say(f"error: {error}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python tests/cluster", description=__doc__)
    parser.add_argument("--folder", type=Path, default=layout.FOLDER, help="all that the cluster writes (%(default)s)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for run, help_text in (
        (build, "install and build what the cluster needs, where it is missing"),
        (up, "bring the cluster up, and print the path of its kubeconfig"),
        (down, "stop it and remove all of it"),
        (status, "tell which parts run"),
    ):
        commands.add_parser(run.__name__, help=help_text).set_defaults(run=run)
    loads = commands.add_parser("load", help="bring an image into the cluster")
    loads.add_argument("archive", type=Path, help="as `podman save` writes it")
    loads.set_defaults(run=load)
    images = commands.add_parser("image", help="build the step image, without a registry")
    images.add_argument("--containerfile", type=Path, default=image.CONTAINERFILE, help="(%(default)s)")
    images.add_argument("--context", type=Path, default=image.CONTEXT, help="its folder (%(default)s)")
    images.add_argument("--name", default=image.NAME, help="of the image (%(default)s)")
    images.add_argument("--output", type=Path, default=Path("step-image.tar"), help="the archive (%(default)s)")
    images.set_defaults(run=step_image)
    commands.add_parser("programs", help="tell the folder of the programs, kubectl among them").set_defaults(run=folder)
    commands.add_parser("kubectl", help="run kubectl as the cluster's administrator").set_defaults(run=kubectl)
    return parser


def build(_: argparse.Namespace) -> None:
    cluster.build(say)


def up(asked: argparse.Namespace) -> None:
    started = time.monotonic()
    where = Layout(asked.folder)
    cluster.up(where, say)
    say(f"up in {time.monotonic() - started:.1f} s")
    answer(where.kubeconfig)


def down(asked: argparse.Namespace) -> None:
    started = time.monotonic()
    cluster.down(Layout(asked.folder))
    say(f"down in {time.monotonic() - started:.1f} s")


def status(asked: argparse.Namespace) -> None:
    for part, state in cluster.status(Layout(asked.folder)).items():
        answer(f"{part:24} {state}")


def load(asked: argparse.Namespace) -> None:
    for name in cluster.load(Layout(asked.folder), asked.archive):
        answer(name)


def step_image(asked: argparse.Namespace) -> None:
    built = image.build(asked.containerfile, asked.context, asked.name, asked.output, say)
    whole_mib, added_mib = built.size_bytes / 2**20, built.added_bytes / 2**20
    say(f"{built.name}: {whole_mib:.1f} MiB, {added_mib:.1f} MiB of them on top of its base")
    answer(asked.output)


def folder(_: argparse.Namespace) -> None:
    answer(programs.built()["kubectl"].parent)


def kubectl(asked: argparse.Namespace) -> None:
    program = programs.built()["kubectl"]
    environment = {**os.environ, **cluster.kubectl_environment(Layout(asked.folder))}
    os.execve(program, [str(program), *asked.words], environment)  # noqa: S606  # the words are the caller's own


def answer(line: object) -> None:
    """Tell what was asked for: a script may read it."""
    print(line)  # noqa: T201  # the command's output


def say(sentence: str) -> None:
    """Tell a person how it goes."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201  # the command's progress


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
