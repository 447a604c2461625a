"""One router a resource; each endpoint parses, makes one call, answers."""
