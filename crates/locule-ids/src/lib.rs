//! Typed identifiers: parse, print, never mix up.
