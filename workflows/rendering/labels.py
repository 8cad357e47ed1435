"""Annotations for Argo's UI on rendered objects."""

TITLE = "workflows.argoproj.io/title"
DESCRIPTION = "workflows.argoproj.io/description"
