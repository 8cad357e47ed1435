"""Monitoring: metrics of runs and of the catalogue, alerts, a dashboard and a notification."""
