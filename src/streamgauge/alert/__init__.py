"""From findings to incidents: the state machine and the rules users write. Pure, clock given."""
