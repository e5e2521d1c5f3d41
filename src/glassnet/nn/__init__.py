"""What a network computes, in plain NumPy: activations, losses, dropout, reference passes, networks."""
