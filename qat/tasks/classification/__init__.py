"""Classification: pictures with one label each come in, and a trained classifier goes out."""
