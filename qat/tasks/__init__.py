"""Each folder of this room trains and evaluates one task."""
