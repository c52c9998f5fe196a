"""The texts: which there are, which values they need, and how they are put into a language."""
