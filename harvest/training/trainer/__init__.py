"""Fine-tuning with transformers' Trainer."""
