module threescale-backup/tests/cluster/pause

go 1.24.0
