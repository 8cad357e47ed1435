"""How a phase becomes a container, a template and a checked manifest. Nothing here knows a workflow."""
