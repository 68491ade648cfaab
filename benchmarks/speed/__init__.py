"""Takes nets, and measures how fast they are trained and exported and how fast their bundles run."""
