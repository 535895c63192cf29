//! What both binaries do alike for browsers: which page sent a request, cookies, headers that every answer has, an
//! embedded page, and slowing down who guesses passwords.

pub mod docs;
pub mod origin;
pub mod page;
pub mod request;
pub mod request_id;
pub mod sign_in;
pub mod throttle;
