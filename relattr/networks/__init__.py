"""Placeholder of the worktree."""
