//! Plain data: what waits in any stage can be written out and read back.
//!
//! With the feature `state` these are serde's traits and derives, for which half of all code is made. Without it the derives make
//! nothing and the traits ask for nothing: for a library that keeps no state, and for a first look at the program (`scripts/show`).

#[cfg(feature = "state")]
pub use serde::{Deserialize, Serialize, de::DeserializeOwned};
#[cfg(not(feature = "state"))]
pub use without::{Deserialize, DeserializeOwned, Serialize};

#[cfg(not(feature = "state"))]
mod without {
    pub use noop_proc_macro::{Deserialize, Serialize};

    /// Everything: nothing is written out.
    pub trait Serialize {}

    impl<T: ?Sized> Serialize for T {}

    /// Everything: nothing is read back.
    pub trait Deserialize<'de> {}

    impl<T: ?Sized> Deserialize<'_> for T {}

    /// Everything: nothing is read back.
    pub trait DeserializeOwned {}

    impl<T: ?Sized> DeserializeOwned for T {}
}
