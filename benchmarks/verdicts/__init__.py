"""What a night says: noise learned, steps found, verdicts with their evidence."""
