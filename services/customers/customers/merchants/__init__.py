"""The merchant and its stores."""
