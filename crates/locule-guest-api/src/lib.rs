//! Host or SDK to guest agent: the process and filesystem services, HTTP bodies, size limits.
