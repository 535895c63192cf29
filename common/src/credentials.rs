//! Names, passwords and tokens of people and machines, the same at both ends.
//!
//! A password is guessable, so it is stored as a slow, salted hash. A token is 256 random bits, so nothing is gained
//! by a slow hash, and a fast one can be asked for with every request: SHA-256.

use std::fmt::Write as _;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

/// OWASP's Password Storage Cheat Sheet asks for at least 19 MiB, 2 passes and 1 lane. RFC 9106's second choice (64 MiB,
/// 3 passes, 4 lanes) is for machines with memory to spare; a warehouse's box with several people signing in is none.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// NIST SP 800-63B asks for 8 at least; without a second factor we ask for a little more.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Longer ones are no safer, and hashing them is work for us.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
pub const NAME_CHARS_MAX: usize = 64;

/// SHA-256 of a token: what is stored of it.
pub type TokenHash = [u8; 32];

/// Why a name or a password cannot be taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unfit {
    #[error("the name is empty; give one of 1 to {NAME_CHARS_MAX} lower-case Latin letters, digits, and . _ - @")]
    NameEmpty,
    #[error("the name is too long; {NAME_CHARS_MAX} characters are the most")]
    NameLong,
    #[error(
        "the name has {0:?} in it; lower-case Latin letters, digits, and . _ - @ are taken, and a letter or digit must \
         come first"
    )]
    NameCharacter(char),
    #[error(
        "the password is too short; {PASSWORD_CHARS_MIN} characters are the least, and a few words make a good one"
    )]
    PasswordShort,
    #[error("the password is too long; {PASSWORD_BYTES_MAX} bytes are the most")]
    PasswordLong,
}

/// Whether an account, a screen, a camera or a token may be called this.
///
/// A name vouches for who said or did something, so it must not look like another. Of all that Unicode has only these few
/// characters are taken: tables of what looks alike are long, change, and still leave `rn` and `m`; no name needs them.
/// Accounts made when more was taken keep their names.
///
/// # Errors
/// Why not, and the fix.
pub fn check_name(name: &str) -> Result<(), Unfit> {
    let first = name.chars().next().ok_or(Unfit::NameEmpty)?;
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(Unfit::NameLong);
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = |c: &char| plain(*c) || matches!(c, '.' | '_' | '-' | '@');
    match name.chars().find(|c| !fits(c)).or_else(|| (!plain(first)).then_some(first)) {
        Some(c) => Err(Unfit::NameCharacter(c)),
        None => Ok(()),
    }
}

/// By what names are compared: `Anna` and `anna` are one.
pub fn name_key(name: &str) -> String {
    name.to_lowercase()
}

/// Whether this may become somebody's password.
///
/// # Errors
/// Why not, and the fix.
pub fn check_password(password: &str) -> Result<(), Unfit> {
    // Blanks around it are nothing to guess.
    if password.trim().chars().count() < PASSWORD_CHARS_MIN {
        return Err(Unfit::PasswordShort);
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(Unfit::PasswordLong);
    }
    Ok(())
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the constants are within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashes with a fresh salt, to a PHC string that carries its parameters. Takes tens of milliseconds and 19 MiB.
pub fn hash_password(password: &str) -> String {
    let mut salt = [0u8; 16];
    rand::rng().fill_bytes(&mut salt);
    argon2()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .expect("parameters, salt and output have lengths that argon2 takes")
        .to_string()
}

/// Whether it is the password, compared in constant time. Takes as long as [`hash_password`].
pub fn verify_password(password: &str, phc: &str) -> bool {
    password.len() <= PASSWORD_BYTES_MAX && argon2().verify_password(password.as_bytes(), phc).is_ok()
}

/// A new token. The prefix tells people, and scanners for leaked secrets, what it is.
pub fn token(prefix: &str) -> String {
    let mut secret = [0u8; 32];
    rand::rng().fill_bytes(&mut secret);
    format!("{prefix}{}", hex(&secret))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // A String takes everything.
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

/// What is stored of a token. Looking one up by it tells nothing about others: a guess's hash cannot be steered.
pub fn token_hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_says_what_it_is_and_fits_one_password() {
        let (a, b) = (hash_password("correct horse"), hash_password("correct horse"));
        assert!(a.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{a}");
        assert_ne!(a, b, "salted");
        assert!(verify_password("correct horse", &a) && verify_password("correct horse", &b));
        assert!(!verify_password("correct horsf", &a) && !verify_password("", &a));
        assert!(!verify_password("correct horse", "") && !verify_password("correct horse", "$argon2id$"));
    }

    #[test]
    fn tokens_differ_and_say_what_they_are() {
        let (a, b) = (token("spc_"), token("spc_"));
        assert_ne!(a, b);
        assert!(a.starts_with("spc_") && a.len() == 4 + 64, "{a}");
        assert_ne!(token_hash(&a), token_hash(&b));
        // FIPS 180-4's example.
        assert_eq!(token_hash("abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
    }

    #[test]
    fn names_and_passwords_have_bounds() {
        for name in ["a", "anna.k", "lukasz-2", "dock_4@north", "7"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "-a", ".", "a b", "a\n", "a/b", "a\u{202e}b", "<b>", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        // Cyrillic а, a capital i that looks like an l, a joiner of no width, a full-width letter.
        for name in ["\u{430}nna", "aIice", "an\u{200d}na", "\u{ff41}nna", "Łukasz"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert_eq!(check_password("123456789"), Err(Unfit::PasswordShort));
        assert_eq!(check_password("1234567890"), Ok(()));
        assert_eq!(check_password("äöüäöüäöü"), Err(Unfit::PasswordShort), "characters, not bytes");
        assert_eq!(check_password(&"x".repeat(1_025)), Err(Unfit::PasswordLong));
    }
}
