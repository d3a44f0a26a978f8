"""The datasets, one file a family; see CONTRIBUTING.md for adding one."""
