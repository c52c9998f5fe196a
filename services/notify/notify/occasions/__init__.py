"""Occasions: who is greeted today, asked anew through the day so that nobody is missed or greeted twice."""
