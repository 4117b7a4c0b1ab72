"""A conformance kit: the contract's promises, kept or broken by a running implementation of it.

    python -m billing.conformance URL --client NAME --key-file FILE

Rules of this package:
- It knows the contract and nothing of the reference core: it asks over HTTP, as anybody does who has a key.
- A promise is a sentence and a check. One module of promises a subject, each with a tuple `PROMISES`, and a line in
  `ALL` of `billing.conformance.running`.
- It does nothing that harms the test number given to it. What should be turned away is asked of a number that nobody
  holds, so that a core that lets it in does nothing with it.
- What it says never holds a PIN that was given to it.
"""
