"""The people's command, run in this process."""

import json
from typing import Any

from click.testing import CliRunner

from workflows.__main__ import main

IMAGE = "registry.example.com/steps:1"


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    """Run a command; return its exit code, and what it printed and what it complained of."""
    result = CliRunner().invoke(main, arguments, input=stdin)
    return result.exit_code, result.stdout, result.stderr


def ask(stage: Any, *words: str) -> tuple[int, str, str]:
    """Run a command that looks into the namespace, with the rights of an administrator."""
    stage.connect()
    return run(*words, "-n", stage.namespace, "--kubeconfig", str(stage.folder / "kubeconfig-None"))


def described(stage: Any, name: str = "nightly") -> Any:
    """What the command says of one backup."""
    _, out, _ = ask(stage, "describe", name, "-o", "json")
    return json.loads(out)
