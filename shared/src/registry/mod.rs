//! A client for OCI registries (OCI Distribution Specification 1.1).
