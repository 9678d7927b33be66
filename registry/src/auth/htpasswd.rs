//! Password files as Apache's `htpasswd` writes them, with bcrypt or argon2 hashes.

use std::collections::BTreeMap;

use argon2::{
    Argon2, Params,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use serde::{Deserialize, Serialize};

use super::{Invalid, actor::ANONYMOUS, fingerprint};

/// The longest password, in bytes; hashing takes time that grows with it.
pub const MAX_PASSWORD_BYTES: usize = 1024;
/// The most memory one verification may take, in KiB: 256 MiB.
const MAX_ARGON2_MEMORY_KIB: u32 = 256 * 1024;
/// The most passes of one verification.
const MAX_ARGON2_PASSES: u32 = 16;
/// bcrypt's work doubles with each step; 14 takes about a second.
const MAX_BCRYPT_COST: u32 = 14;
/// What new argon2 hashes cost, after OWASP's Password Storage Cheat Sheet: 46 MiB, one pass.
const NEW_ARGON2: (u32, u32, u32) = (47_104, 1, 1);
/// What new bcrypt hashes cost, of the same source.
const NEW_BCRYPT_COST: u32 = 10;

/// How a new password is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// argon2id, which takes memory and time to guess.
    #[default]
    Argon2id,
    /// bcrypt, which other servers read too.
    Bcrypt,
}

/// The users of a password file with their hashes.
#[derive(Debug, Default)]
pub(crate) struct Passwords {
    users: BTreeMap<String, Hash>,
}

#[derive(Clone)]
struct Hash {
    text: String,
    is_bcrypt: bool,
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hash")
    }
}

impl Passwords {
    /// Reads a password file. One bad line makes all of it unusable, for it may be a truncated one.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Invalid> {
        let mut users = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let refuse = |reason: String| Invalid::new(format!("{name}:{number}"), reason);
            let (user, hash) = line
                .split_once(':')
                .ok_or_else(|| refuse("expected `user:hash`".to_owned()))?;
            check_user(user).map_err(refuse)?;
            let hash = Hash::parse(hash).map_err(|reason| refuse(reason.to_owned()))?;
            if users.insert(user.to_owned(), hash).is_some() {
                return Err(refuse(format!("the user `{user}` stands here twice")));
            }
        }
        Ok(Self { users })
    }

    /// Checks a password; takes as long for users that do not exist. The result changes with the
    /// user's password.
    pub(crate) fn verify(&self, user: &str, password: &str) -> Option<String> {
        if password.len() > MAX_PASSWORD_BYTES {
            return None;
        }
        let known = self.users.get(user);
        let hash = known.or_else(|| self.users.values().next())?;
        let matches = hash.matches(password);
        known
            .filter(|_| matches)
            .map(|hash| fingerprint(&hash.text))
    }

    /// What [`Passwords::verify`] returned for the user's present password.
    pub(crate) fn fingerprint(&self, user: &str) -> Option<String> {
        self.users.get(user).map(|hash| fingerprint(&hash.text))
    }
}

impl Hash {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let is_bcrypt = ["$2a$", "$2b$", "$2y$"]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        if is_bcrypt {
            let parts: bcrypt::HashParts =
                text.parse().map_err(|_| "the bcrypt hash is malformed")?;
            if parts.get_cost() > MAX_BCRYPT_COST {
                return Err("the bcrypt hash costs more than 14");
            }
        } else if text.starts_with("$argon2") {
            let hash = PasswordHash::new(text).map_err(|_| "the argon2 hash is malformed")?;
            let params = Params::try_from(&hash).map_err(|_| "the argon2 hash is malformed")?;
            if params.m_cost() > MAX_ARGON2_MEMORY_KIB || params.t_cost() > MAX_ARGON2_PASSES {
                return Err("the argon2 hash takes more than 256 MiB or 16 passes");
            }
        } else {
            return Err(
                "only bcrypt and argon2 hashes are safe: use `htpasswd -B` or `cairn registry user add`",
            );
        }
        Ok(Self {
            text: text.to_owned(),
            is_bcrypt,
        })
    }

    /// Both libraries compare in constant time.
    fn matches(&self, password: &str) -> bool {
        if self.is_bcrypt {
            // bcrypt ignores what follows the 72nd byte: refused, lest two passwords be one.
            bcrypt::non_truncating_verify(password, &self.text).unwrap_or(false)
        } else {
            PasswordHash::new(&self.text).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &hash)
                    .is_ok()
            })
        }
    }
}

/// The file with a user's new password; other lines stay as they are.
pub fn with_user(
    text: &str,
    user: &str,
    password: &str,
    algorithm: Algorithm,
) -> Result<String, String> {
    check_user(user)?;
    if password.is_empty() || password.len() > MAX_PASSWORD_BYTES {
        return Err(format!("a password has 1 to {MAX_PASSWORD_BYTES} bytes"));
    }
    let hash = match algorithm {
        Algorithm::Bcrypt => bcrypt::non_truncating_hash(password, NEW_BCRYPT_COST)
            .map_err(|_| "bcrypt takes passwords of at most 72 bytes: use argon2id".to_owned())?,
        Algorithm::Argon2id => {
            let (memory_kib, passes, lanes) = NEW_ARGON2;
            let params =
                Params::new(memory_kib, passes, lanes, None).map_err(|error| error.to_string())?;
            let hash: PasswordHash = Argon2::from(params)
                .hash_password(password.as_bytes())
                .map_err(|error| error.to_string())?;
            hash.to_string()
        }
    };
    let mut kept = without_user(text, user).unwrap_or_else(|| text.to_owned());
    if !kept.is_empty() && !kept.ends_with('\n') {
        kept.push('\n');
    }
    Ok(format!("{kept}{user}:{hash}\n"))
}

/// The file without a user; `None` if it does not hold them.
pub fn without_user(text: &str, user: &str) -> Option<String> {
    let is_user = |line: &&str| {
        line.split_once(':')
            .is_some_and(|(name, _)| name.trim() == user)
    };
    text.lines().find(is_user)?;
    let kept = text.lines().filter(|line| !is_user(line));
    Some(kept.fold(String::new(), |text, line| text + line + "\n"))
}

/// A name that fits into a password file and is nobody else's.
pub(super) fn check_user(user: &str) -> Result<(), String> {
    let is_clean = !user.is_empty()
        && !user.contains([':', ','])
        && user.chars().all(|c| !c.is_control() && !c.is_whitespace());
    if !is_clean || user.starts_with('#') {
        return Err(format!(
            "`{}` is not a user's name: use letters, digits, `-`, `_`, `.` and `@`",
            user.escape_debug()
        ));
    }
    if user == ANONYMOUS {
        return Err(format!(
            "`{ANONYMOUS}` stands for whoever did not log in: choose another name"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_both_kinds_are_verified() {
        let hash = bcrypt::hash("correct", 4).unwrap();
        let text = format!("# made by hand\n\nada:{hash}\n");
        let text = with_user(&text, "bob", "horse", Algorithm::Argon2id).unwrap();
        let passwords = Passwords::parse("htpasswd", &text).unwrap();
        let ada = passwords.verify("ada", "correct").unwrap();
        assert_eq!(passwords.fingerprint("ada"), Some(ada.clone()));
        assert!(
            passwords
                .verify("bob", "horse")
                .is_some_and(|bob| bob != ada)
        );
        for (user, password) in [
            ("ada", "horse"),
            ("ada", ""),
            ("bob", "correct"),
            ("eve", "correct"),
            ("", ""),
        ] {
            assert_eq!(passwords.verify(user, password), None, "{user}");
        }
        let without = without_user(&text, "ada").unwrap();
        let passwords = Passwords::parse("htpasswd", &without).unwrap();
        assert_eq!(passwords.verify("ada", "correct"), None);
        assert_eq!(passwords.fingerprint("ada"), None);
        assert!(without.starts_with("# made by hand"));
        assert_eq!(without_user(&text, "eve"), None);
    }

    #[test]
    fn bcrypt_does_not_take_a_prefix_for_the_password() {
        let long = "x".repeat(72);
        let text = format!("ada:{}", bcrypt::hash(&long, 4).unwrap());
        let passwords = Passwords::parse("htpasswd", &text).unwrap();
        assert_eq!(passwords.verify("ada", &format!("{long}y")), None);
        assert!(with_user("", "ada", &"x".repeat(100), Algorithm::Bcrypt).is_err());
    }

    #[test]
    fn weak_malformed_and_costly_lines_are_refused() {
        let good = bcrypt::hash("x", 4).unwrap();
        for bad in [
            "ada:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
            "ada:$apr1$x$y",
            "ada:plain",
            "ada",
            "ada:$2y$31$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "ada:$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
            "ada:$argon2id$",
            &format!("anonymous:{good}"),
            &format!("{good}\nada:{good}\nada:{good}"),
        ] {
            let error = Passwords::parse("htpasswd", bad).unwrap_err().to_string();
            assert!(error.starts_with("`htpasswd:"), "{error}");
            assert!(!error.contains("$2"), "{error}");
        }
    }
}
