"""The demo: a POS gateway that plays a year of real baskets and checks every point and rupiah."""
