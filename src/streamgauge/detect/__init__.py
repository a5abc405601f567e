"""Pure decisions over arrays of all flows at once; one module per detector."""
