"""This room handles files, processes and the machine for every room above; it knows nothing of nets."""
