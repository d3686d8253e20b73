"""Groups and models to the Hugging Face Hub: what is uploaded, its card, one commit."""
