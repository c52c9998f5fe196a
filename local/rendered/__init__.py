"""Runs what an overlay of deploy/ says, as a kubelet would, from this machine's virtual environment."""
