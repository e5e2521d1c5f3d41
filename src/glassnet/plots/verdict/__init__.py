"""Pictures of how good a network's answers are, and what they rest on."""
