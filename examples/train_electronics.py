"""CRANE at the size of Amazon Electronics: 192,403 users, 63,001 items, 1.7 million interactions.

With a folder it trains on the files there, otherwise on a synthetic set of the same size. Meant for
a GPU; `--scale 0.01` shrinks the synthetic set to something a laptop trains in seconds. The exact
attention is quadratic in users and items: `--impl auto` takes it, where a GPU is at hand; the
default is the approximation, which is linear.
"""

import argparse
from collections.abc import Sequence

import torch
from torch_geometric.seed import seed_everything

from crane_pyg.choices import options_of
from crane_pyg.datasets import MultimodalDataset, SyntheticMultimodal
from crane_pyg.nn.models import CRANE
from crane_pyg.ops import AttentionImpl
from crane_pyg.training import evaluate, fit


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder with NAME.inter and MODALITY_feat.npy files")
    parser.add_argument("--scale", type=float, default=1.0, help="of the synthetic set, in (0, 1]")
    parser.add_argument(
        "--impl", choices=options_of(AttentionImpl), default="nystrom", help="of tanh_attention"
    )
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=8192)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)

    dataset = (
        SyntheticMultimodal("electronics", scale=args.scale)
        if args.data is None
        else MultimodalDataset(args.data)
    )
    print(dataset.report)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = dataset[0].to(device)

    seed_everything(args.seed)
    model = CRANE.from_data(data, k=10, num_rounds=1, impl=args.impl)
    result = fit(
        model,
        data,
        epochs=args.epochs,
        batch_size=args.batch_size,
        lr=args.lr,
        seed=args.seed,
        device=device,
    )
    scores = evaluate(model, data, "test")
    print(
        f"{result.seconds_per_epoch:.1f} s an epoch, {result.peak_memory_mb:.0f} MB at most; best "
        f"epoch {result.best_epoch} of {result.epochs}"
    )
    print("  ".join(f"{name} {value:.4f}" for name, value in scores.items()))
    return scores


if __name__ == "__main__":
    main()
