"""Tasks: what is trained and how it is evaluated, one folder for each task."""
