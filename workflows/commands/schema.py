"""The command that prints the JSON Schema of an installation's file."""

import json

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of threescale-backup.yaml, for editors."""
    from workflows.configuration import schema

    click.echo(json.dumps(schema.of_file(), indent=2))
