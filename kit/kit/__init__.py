"""Mechanism shared by the services: it knows no customer, point or rupiah."""
