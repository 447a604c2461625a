"""The parts of the stack: each construct is one capability, and mirrors a function where it has one."""
