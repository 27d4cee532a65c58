//! What may happen to a sandbox, and what should happen next. Pure.
