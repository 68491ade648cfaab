"""Classification takes pictures with one label each and returns a trained classifier."""
