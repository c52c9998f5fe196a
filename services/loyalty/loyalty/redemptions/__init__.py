"""Redemptions: points held for a sale, used in it, and what was used without leave."""
