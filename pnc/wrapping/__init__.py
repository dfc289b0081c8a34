"""Any convolutional classifier as a read-only BlockNet that holds its own preprocessing."""
