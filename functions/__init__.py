"""What is deployed: thin functions that parse, make one call and answer."""
