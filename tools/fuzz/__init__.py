"""Pictures as weapons: a corpus of them, mutations, and what the service does with each."""
