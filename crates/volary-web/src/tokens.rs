//! Who may do what: bearer tokens with roles, kept as hashes in a file that only its owner can read.
//!
//! A token is `volary_ID_SECRET`; the file holds the SHA-256 of the secret. The secret is 32 random bytes,
//! so that a plain hash is enough: nobody can try them all. A token is shown once, when it is made. The
//! file is read again every second in which a token is shown, so that a revoked one stops working within it.
//! Whether the file changed is not asked of its date: two changes within one tick of the system's clock have
//! the same.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look at results: counts, alerts, the event stream. No volunteer is told apart.
    Read,
    /// Send votes and subjects, and ask what to show next. Sees nothing that could sway a vote.
    Write,
    /// Everything, rules and volunteers' ids included.
    Admin,
}

impl Role {
    /// By its name in settings.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    /// Its name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// A token as the file keeps it: without the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its public half.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub roles: BTreeSet<Role>,
    /// When it was made; RFC 3339.
    pub made: String,
    /// SHA-256 of the secret, in hexadecimal.
    pub sha256: String,
}

impl Token {
    /// Whether it may do what `role` may. `admin` may do everything.
    #[must_use]
    pub fn may(&self, role: Role) -> bool {
        self.roles.contains(&role) || self.roles.contains(&Role::Admin)
    }
}

/// Why tokens cannot be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// The operating system said no.
    #[error("{action} failed: {reason}: {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        reason: Arc<std::io::Error>,
        /// The file.
        path: PathBuf,
    },
    /// Others can read it.
    #[error("others can read it; run `chmod 600` on it, and make new tokens: {path}", path = .0.display())]
    Open(PathBuf),
    /// Not TOML of ours.
    #[error("it cannot be read as a list of tokens ({reason}); make a new one with `volary token`: {path}", path = path.display())]
    Broken {
        /// Why not.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// No randomness.
    #[error("the system gives no random bytes ({0}); try again")]
    NoRandom(String),
    /// Nothing to revoke.
    #[error("no token has the id {0}; `volary token` lists them")]
    Unknown(String),
    /// A token that may do nothing.
    #[error("a token needs at least one role: read, write or admin")]
    NoRole,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    #[serde(default)]
    token: Vec<Token>,
}

/// The file of tokens.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    state: Mutex<State>,
    /// Opens the page while the process runs; in no file.
    page: Mutex<Option<Arc<Token>>>,
}

#[derive(Debug, Default)]
struct State {
    held: Vec<Arc<Token>>,
    looked_ms: i64,
}

/// What a key of the page begins with.
const PAGE_PREFIX: &str = "page_";
/// How often the file is looked at.
const LOOK_MS: i64 = 1_000;

impl Tokens {
    /// Reads a file of tokens; one that is not there holds none.
    ///
    /// # Errors
    /// [`TokenError`]: it cannot be read, or others can read it too.
    pub fn open(path: &Path) -> Result<Self, TokenError> {
        let state = Mutex::new(State { held: read(path)?, looked_ms: 0 });
        Ok(Self { path: path.to_owned(), state, page: Mutex::default() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tokens, without their secrets.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Token>> {
        self.state().held.clone()
    }

    /// Makes a token, writes the file, and gives the token's text, which is kept nowhere.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn make(
        &self,
        name: &str,
        roles: impl IntoIterator<Item = Role>,
        now: jiff::Timestamp,
    ) -> Result<String, TokenError> {
        let roles: BTreeSet<Role> = roles.into_iter().collect();
        if roles.is_empty() {
            return Err(TokenError::NoRole);
        }
        let (mut id, mut secret) = ([0_u8; 5], [0_u8; 32]);
        getrandom::fill(&mut id).map_err(|e| TokenError::NoRandom(e.to_string()))?;
        getrandom::fill(&mut secret).map_err(|e| TokenError::NoRandom(e.to_string()))?;
        let id = BASE32_NOPAD.encode(&id).to_ascii_lowercase();
        let secret = BASE32_NOPAD.encode(&secret).to_ascii_lowercase();
        let (text, sha256) = (format!("volary_{id}_{secret}"), hash(&secret));
        let token = Token { id, name: name.to_owned(), roles, made: now.to_string(), sha256 };
        let mut state = self.state();
        state.held.push(Arc::new(token));
        self.write(&state)?;
        Ok(text)
    }

    /// Makes the key of the page, which may read and send, and holds until the process ends; one that was made
    /// before is worth nothing from then on.
    ///
    /// # Errors
    /// [`TokenError::NoRandom`].
    pub fn make_page_key(&self) -> Result<String, TokenError> {
        let mut secret = [0_u8; 32];
        getrandom::fill(&mut secret).map_err(|e| TokenError::NoRandom(e.to_string()))?;
        let secret = BASE32_NOPAD.encode(&secret).to_ascii_lowercase();
        let token = Token {
            id: "page".to_owned(),
            name: "page".to_owned(),
            roles: [Role::Read, Role::Write].into(),
            made: String::new(),
            sha256: hash(&secret),
        };
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(token));
        Ok(format!("{PAGE_PREFIX}{secret}"))
    }

    /// Takes a token away.
    ///
    /// # Errors
    /// [`TokenError::Unknown`] if there is none of this id; else as [`Tokens::make`].
    pub fn revoke(&self, id: &str) -> Result<(), TokenError> {
        let mut state = self.state();
        let before = state.held.len();
        state.held.retain(|token| token.id != id);
        if state.held.len() == before {
            return Err(TokenError::Unknown(id.to_owned()));
        }
        self.write(&state)
    }

    /// Whose token this is. Reads the file again when a second has gone by; one that has become unreadable holds
    /// no token.
    #[must_use]
    pub fn find(&self, text: &str, now_ms: i64) -> Option<Arc<Token>> {
        let held = {
            let mut state = self.state();
            if (now_ms - state.looked_ms).abs() >= LOOK_MS {
                state.looked_ms = now_ms;
                state.held = read(&self.path).unwrap_or_default();
            }
            state.held.clone()
        };
        if let Some(secret) = text.strip_prefix(PAGE_PREFIX) {
            let page = self.page.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
            let is_it: bool = hash(secret).as_bytes().ct_eq(page.sha256.as_bytes()).into();
            return is_it.then_some(page);
        }
        let (id, secret) = text.strip_prefix("volary_")?.split_once('_')?;
        let token = held.iter().find(|token| token.id == id)?;
        let is_it: bool = hash(secret).as_bytes().ct_eq(token.sha256.as_bytes()).into();
        is_it.then(|| Arc::clone(token))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Beside its place, then renamed, and never readable by others in between.
    fn write(&self, state: &State) -> Result<(), TokenError> {
        let held = Held { token: state.held.iter().map(|token| (**token).clone()).collect() };
        let broken =
            |e: toml::ser::Error| TokenError::Broken { reason: e.to_string(), path: self.path.clone() };
        write_secret(&self.path, &toml::to_string(&held).map_err(broken)?)
    }
}

fn hash(secret: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(secret.as_bytes()))
}

fn read(path: &Path) -> Result<Vec<Arc<Token>>, TokenError> {
    let Some(text) = read_secret(path)? else { return Ok(Vec::new()) };
    let broken = |e: toml::de::Error| TokenError::Broken {
        // The message of the parser may show a line of the file.
        reason: e.message().to_owned(),
        path: path.to_owned(),
    };
    let held: Held = toml::from_str(&text).map_err(broken)?;
    Ok(held.token.into_iter().map(Arc::new).collect())
}

/// A file that only its owner can read; nothing if it is not there.
///
/// # Errors
/// [`TokenError`]: it cannot be read, or others can read it too.
pub fn read_secret(path: &Path) -> Result<Option<String>, TokenError> {
    let io =
        |reason| TokenError::Io { action: "reading", reason: Arc::new(reason), path: path.to_owned() };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if fs::metadata(path).map_err(io)?.permissions().mode() & 0o077 != 0 {
            return Err(TokenError::Open(path.to_owned()));
        }
    }
    Ok(Some(text))
}

/// Writes a file that only its owner can read; one of that name is replaced.
///
/// # Errors
/// [`TokenError::Io`].
pub fn write_secret(path: &Path, text: &str) -> Result<(), TokenError> {
    let io = |action, reason| TokenError::Io { action, reason: Arc::new(reason), path: path.to_owned() };
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let beside = PathBuf::from(name);
    let _ = fs::remove_file(&beside);
    let mut file = owner_only(&beside).map_err(|e| io("making the file", e))?;
    file.write_all(text.as_bytes()).map_err(|e| io("writing", e))?;
    file.sync_all().map_err(|e| io("writing", e))?;
    fs::rename(&beside, path).map_err(|e| io("putting the file in its place", e))
}

/// A new file that only its owner can read.
fn owner_only(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_800_000_000).unwrap()
    }

    #[test]
    fn a_token_is_known_by_its_text_until_it_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let tokens = Tokens::open(&path).unwrap();
        let text = tokens.make("camera", [Role::Write], now()).unwrap();
        let other = tokens.make("team", [Role::Read], now()).unwrap();
        let found = tokens.find(&text, 0).expect("known");
        assert!(found.may(Role::Write) && !found.may(Role::Read) && !found.may(Role::Admin));
        assert_ne!(tokens.find(&other, 0).unwrap().id, found.id);
        for wrong in ["", "volary_", &text[..text.len() - 1], &format!("{text}a"), &text.to_uppercase()]
        {
            assert!(tokens.find(wrong, 0).is_none(), "{wrong}");
        }
        // The id of one with the secret of the other.
        let mixed = format!("volary_{}_{}", found.id, other.rsplit_once('_').unwrap().1);
        assert!(tokens.find(&mixed, 0).is_none());
        // A server that was started before sees what another process does to the file.
        let command = Tokens::open(&path).unwrap();
        let made_at = fs::metadata(&path).unwrap().modified().unwrap();
        command.revoke(&found.id).unwrap();
        // As where both happen within one tick of the clock, which a file's date does not tell apart.
        fs::File::open(&path).unwrap().set_modified(made_at).unwrap();
        assert!(matches!(command.revoke(&found.id), Err(TokenError::Unknown(_))));
        assert!(tokens.find(&text, 5_000).is_none(), "revoked");
        assert!(tokens.find(&other, 5_000).is_some());
    }

    #[test]
    fn the_pages_key_is_in_no_file_and_the_last_one_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let tokens = Tokens::open(&path).unwrap();
        assert!(tokens.find("page_", 0).is_none());
        let first = tokens.make_page_key().unwrap();
        let found = tokens.find(&first, 0).expect("known");
        assert!(found.may(Role::Read) && found.may(Role::Write) && !found.may(Role::Admin));
        let second = tokens.make_page_key().unwrap();
        assert!(tokens.find(&first, 0).is_none() && tokens.find(&second, 0).is_some());
        assert!(!path.exists() && tokens.list().is_empty());
        assert!(Tokens::open(&path).unwrap().find(&second, 0).is_none());
    }

    #[test]
    fn the_file_holds_no_secret_and_is_the_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let text = Tokens::open(&path).unwrap().make("a", [Role::Admin], now()).unwrap();
        let secret = text.rsplit_once('_').unwrap().1;
        assert!(secret.len() >= 50);
        assert!(!fs::read_to_string(&path).unwrap().contains(secret));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(matches!(Tokens::open(&path), Err(TokenError::Open(_))));
        }
        assert!(matches!(
            Tokens::open(&folder.path().join("none")).unwrap().make("a", [], now()),
            Err(TokenError::NoRole)
        ));
    }
}
