"""The live lab: a network that learns before your eyes, each number with its formula, time to wind back."""
