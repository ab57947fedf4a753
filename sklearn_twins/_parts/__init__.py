"""Parts that all modalities share."""
