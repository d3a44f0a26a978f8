"""What a table shows: accuracies, intervals, comparisons, verdicts and notes, as data."""
