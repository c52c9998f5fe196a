"""The driver of `make test-cluster`: the product on a real Kubernetes, disturbed while baskets are sold."""
