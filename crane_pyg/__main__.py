import sys

if __name__ == "__main__":
    try:
        from crane_pyg.cli import main  # takes seconds, in which people change their minds

        main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
