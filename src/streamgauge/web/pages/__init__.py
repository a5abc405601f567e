"""The pages: each module gathers what one page shows; the templates say how it looks."""
