"""Tasks of data2vec 2.0: what its models ask of the loader, upstream's task of images, and several modalities."""
