"""The network of `fieldmark demo`: see `fieldmark.demo.lite0`, and `fieldmark.demo.weights` for the file it reads."""
