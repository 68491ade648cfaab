"""Training: a net, pictures and a plan come in, and a trained net and its history go out."""
