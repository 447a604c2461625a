"""Style transfer in one pass of a network: what a picture looks like to it, and how it paints one look onto another."""
