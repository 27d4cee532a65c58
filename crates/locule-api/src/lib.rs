//! Requests, responses and error codes of the public API: data only.
