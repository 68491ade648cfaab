"""This room takes a net, pictures and a plan, and returns a trained net and its history."""
