"""What a release is made of: one module for each kind of file in it. `.ci/release` puts them together.

Nothing here needs more than Python's own library, so that a release can be made, and looked through, wherever Rust is.
"""
