from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_first_block_holds_the_two_commands_and_nothing_else() -> None:
    block = README.partition("```sh\n")[2].partition("```")[0]

    assert block.splitlines() == [
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/threescale-backup rehearse",
        ".venv/bin/python -m pytest",
    ]
