"""Files, processes and the machine: what every room above uses, and what knows nothing of nets."""
