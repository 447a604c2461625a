"""Training and evaluation of the shipped networks; not part of the installed package."""
