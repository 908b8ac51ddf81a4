"""Sessions at the panel, replayed: does the program that `panel.code` gives do to a fresh copy what was done with the mouse?

    python bench/replays.py                 # 50 sessions of 12 actions
    python bench/replays.py --sessions 500 --actions 30

Each session sizes, prunes, inserts, removes, connects, takes back and does again, at random. Its program runs on a copy that was
made before; the text of both nets and every weight must agree. Exits 1 if one of them does not.
"""
import argparse, sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from sessions import replayed

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--actions", type=int, default=12)
    args = parser.parse_args()
    found = [replayed(seed, args.actions) for seed in range(args.sessions)]
    good = sum(text and weights for _, text, weights in found)
    for seed, (steps, text, weights) in enumerate(found):
        if not (text and weights): print(f"session {seed}, {steps} lines: {'another net' if not text else 'other weights'}")
    print(f"replays: {good} of {len(found)} sessions, {sum(n for n, _, _ in found)} lines")
    sys.exit(good < len(found))
