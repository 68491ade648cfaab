"""Takes the papers' nets, and holds counts, exactness and accuracy beside what the papers print."""
