//! How bytes reach a sandbox: files, streams, port proxy.
