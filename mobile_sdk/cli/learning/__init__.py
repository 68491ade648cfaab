"""Options for pictures and a net come in; a trained net, its program or a whole run goes out."""
