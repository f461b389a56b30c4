"""The execution at hand: when it runs, its runs, and what follows from them."""
