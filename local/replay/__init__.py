"""A gateway that sells real baskets to a stack that runs somewhere, until told to stop, and reconciles."""
