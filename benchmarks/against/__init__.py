"""Takes nets through other people's tools as their documentation says, and returns files and scores."""
