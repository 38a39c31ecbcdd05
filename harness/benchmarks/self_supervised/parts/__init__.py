"""What pre-training is made of, as functions and modules of torch alone."""
