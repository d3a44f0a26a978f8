"""The content of tables as data: accuracies, intervals, comparisons, verdicts and notes, computed from the store."""
