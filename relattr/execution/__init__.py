"""How cells are computed: each in a process of its own, on this machine or on a cluster."""
