"""What each rater's word is worth: people, judges and principles weighed by the same model, and labels fused by it."""
