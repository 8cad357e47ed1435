"""Run the rendered workflows here, without a cluster."""
