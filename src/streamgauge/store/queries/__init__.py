"""One small module per question; each returns Arrow, NumPy or a view of the model."""
