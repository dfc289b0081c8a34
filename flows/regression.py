"""``python -m flows.regression``: the command ``pnc-regress``, beside the other flows."""

from bench.report.regress import main

if __name__ == "__main__":
    main()
