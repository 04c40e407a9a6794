"""The operator's pages: one module a chapter, each with its routes; `shell` is what they share."""
