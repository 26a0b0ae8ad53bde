"""What bench_alignment and bench_ridge share: clips and texts, random sets of unseen actions, and their scores."""
