"""How a phase becomes a container, a template and a manifest whose references are checked; it knows no workflow."""
