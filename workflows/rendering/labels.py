"""What is written on every object that is rendered, so that one finds it."""

PART_OF = {"app.kubernetes.io/part-of": "threescale-backup"}
KIND = "threescale-backup/kind"  # of a workflow: its operation
TITLE = "workflows.argoproj.io/title"
DESCRIPTION = "workflows.argoproj.io/description"
