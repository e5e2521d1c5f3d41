"""One training loop, its steppers, the run, callbacks, validation, early stopping and checkpoints."""
