"""What runs, in which order, in which pods: the Argo workflows and the commands for people."""
