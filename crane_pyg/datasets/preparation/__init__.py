"""From anybody's files to a folder that :class:`~crane_pyg.datasets.MultimodalDataset` reads."""
