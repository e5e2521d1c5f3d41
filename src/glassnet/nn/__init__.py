"""What a network computes, in plain NumPy: activations, losses, dropout, the reference and the network."""
