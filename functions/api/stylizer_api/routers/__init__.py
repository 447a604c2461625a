"""One router per resource; each endpoint parses the request, makes one service call, and responds."""
