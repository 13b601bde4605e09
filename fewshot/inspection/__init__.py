"""What adaptation changes inside the model, and which examples it hangs on."""
