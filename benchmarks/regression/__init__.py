"""Takes nets and images that it makes itself, and shows whether a change of the code changed a file or a score."""
