"""The independent oracle: what every customer's books must say, by the written rules and nothing else.

It imports no service, no kit and no contract; only raw baskets and the till's own journal go in.
"""
