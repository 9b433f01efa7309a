//! stub for first build
