"""This room takes options for pictures and a net, and makes a trained net, its program or a whole run."""
