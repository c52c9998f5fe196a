"""The only place where what names a person lies: sealed fields and keyed indexes."""
