"""Checks graphs before anything is made of them: shapes, limits of the runtimes, and what their numbers prove."""
