//! Certificate authority providers for Chancery.
#![deny(unsafe_code)]
