"""The methods, one file per family; see CONTRIBUTING.md for adding one."""
