"""What is written on every object that is rendered, so that one finds it."""

TITLE = "workflows.argoproj.io/title"
DESCRIPTION = "workflows.argoproj.io/description"
