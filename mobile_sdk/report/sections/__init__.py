"""This room takes verdicts and measurements and returns the data of the report's sections."""
