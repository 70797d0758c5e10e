//! The dashboard in a real browser: on its own page and in a frame on another site, in every language, for people who change things and people who look.
//!
//! Texts differ by language and may be put better any day, so elements are found by ids, names and the addresses that links and forms lead to.

mod desk;
mod endings;
mod entrance;
mod filling;
mod forgery;
mod frame;
mod hostile;
mod keyboard;
mod languages;
mod many;
mod screens;
mod scriptless;
mod viewer;
mod walks;
