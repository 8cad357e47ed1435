"""The file `threescale-backup.yaml`, which says how this tool is installed on a given cluster."""
