"""Holds the small trainings that tests share, and the programs that run them in processes of their own."""
