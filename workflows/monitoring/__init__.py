"""What those are told who watch: metrics of runs and of the catalogue, alerts, a dashboard, a notification."""
