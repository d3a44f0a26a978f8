"""The datasets, one module per dataset family; CONTRIBUTING.md says how to add one."""
