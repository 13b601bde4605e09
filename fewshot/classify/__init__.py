"""What a meta-trained run is good for: labelled examples in, a classifier out."""
