//! Requests to others: only to hosts that were named, and to none of this network unless it was named so.
//!
//! A name is looked up once, its addresses are checked, and the connection goes to exactly these: an answer
//! that changes between the check and the connection changes nothing. Redirects are not followed, and a
//! proxy of the environment is not used, because it would look up the name anew.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A place that requests may go to.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: String,
    host: String,
    allow_private: bool,
}

/// Why a URL is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a URL.
    #[error("{0:?} is no http or https URL with a host; write https://HOST/PATH")]
    NotAUrl(String),
    /// User and password in it.
    #[error("the URL for {0} holds a user or a password; take it out")]
    UserInfo(String),
    /// Odd spellings of addresses, which programs read differently.
    #[error("{0:?} is an odd way to write a host; write its name or its plain address")]
    OddHost(String),
    /// An address of this machine or network.
    #[error("{0} is an address of this machine or network; name it as a private one if that is meant")]
    Private(String),
    /// Nobody else may listen.
    #[error("http to {0} can be read on the way; use https")]
    Plain(String),
}

impl Target {
    /// A URL. `allow_private`: it may lie on this machine or network, and may be plain http.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn parse(url: &str, allow_private: bool) -> Result<Self, UrlError> {
        let not_a_url = || UrlError::NotAUrl(url.chars().take(80).collect());
        let uri: Uri = url.parse().map_err(|_| not_a_url())?;
        let authority = uri.authority().ok_or_else(not_a_url)?;
        let host = authority.host().to_ascii_lowercase();
        if authority.as_str().contains('@') {
            return Err(UrlError::UserInfo(host));
        }
        let plain = match uri.scheme_str() {
            Some("https") => false,
            Some("http") => true,
            _ => return Err(not_a_url()),
        };
        match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) if !allow_private && !is_public(address) => return Err(UrlError::Private(host)),
            Ok(_) => {}
            Err(_) if is_odd(&host) => return Err(UrlError::OddHost(host)),
            Err(_) if !allow_private && is_local_name(&host) => return Err(UrlError::Private(host)),
            Err(_) => {}
        }
        if plain && !allow_private {
            return Err(UrlError::Plain(host));
        }
        Ok(Self { url: url.to_owned(), host, allow_private })
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its host; for logs, since a path may hold a secret.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// A client for it.
    pub(crate) fn agent(&self) -> ureq::Agent {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .proxy(None)
            .http_status_as_error(false)
            .user_agent(concat!("volary/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = Checked { allow_private: self.allow_private, inner: DefaultResolver::default() };
        ureq::Agent::with_parts(config, DefaultConnector::default(), resolver)
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("host", &self.host).finish_non_exhaustive()
    }
}

/// `0x7f.1`, `2130706433`, `0177.0.0.1`, a dot at the end, percent signs: resolvers disagree about these.
fn is_odd(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    host.is_empty()
        || last.is_empty()
        || last.bytes().all(|b| b.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
        || !host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

fn is_local_name(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.ends_with(".internal")
        || host.ends_with(".local")
}

/// Whether an address is one of the public Internet (IANA's special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // An IPv4 address in any of its IPv6 dresses counts as itself.
    if let Some(v4) = address.to_ipv4() {
        return is_public_v4(v4);
    }
    let [first, second, ..] = address.segments();
    // Only 2000::/3 is handed out, less documentation, benchmarks, Teredo and 6to4.
    first & 0xe000 == 0x2000
        && !(first == 0x2001 && (second < 0x0200 || second == 0x0db8))
        && first != 0x2002
        && first != 0x3fff
}

#[derive(Debug)]
struct Checked {
    allow_private: bool,
    inner: DefaultResolver,
}

impl Resolver for Checked {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        if self.allow_private || all_public(&found) { Ok(found) } else { Err(ureq::Error::HostNotFound) }
    }
}

/// One private address among public ones is enough to refuse them all.
fn all_public(found: &[SocketAddr]) -> bool {
    found.iter().all(|address| is_public(address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_https_passes_unless_named() {
        for url in [
            "https://hooks.example.org/a?b=c",
            "https://93.184.216.34:8443/",
            "https://[2606:2800:220:1:248:1893:25c8:1946]/",
        ] {
            assert!(Target::parse(url, false).is_ok(), "{url}");
        }
        for url in [
            "https://127.0.0.1/",
            "https://127.0.0.1:8080/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[::127.0.0.1]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://[2002:7f00:1::]/",
            "https://[::]/",
            "https://0x7f.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://0.0.0.0/",
            "https://10.1.2.3/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://100.64.0.1/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://localhost/",
            "https://LOCALHOST/",
            "https://a.localhost/",
            "https://metadata.google.internal/",
            "https://example.org./",
            "https://user@example.org/",
            "https://example.org:1@127.0.0.1/",
            "https://example.org%2f@127.0.0.1/",
            "http://example.org/",
            "file:///etc/passwd",
            "gopher://example.org/",
            "ftp://example.org/",
            "//example.org/",
            "/path",
            "https://",
            "",
        ] {
            assert!(Target::parse(url, false).is_err(), "{url}");
        }
    }

    #[test]
    fn private_ones_pass_only_when_named_and_odd_ones_never() {
        for url in
            ["http://127.0.0.1:9000/hook", "https://[::1]/", "http://localhost/", "http://10.0.0.7/"]
        {
            assert!(Target::parse(url, true).is_ok(), "{url}");
        }
        for url in ["http://0x7f.1/", "http://2130706433/", "http://a@127.0.0.1/", "file:///etc/passwd"]
        {
            assert!(Target::parse(url, true).is_err(), "{url}");
        }
    }

    #[test]
    fn one_private_answer_of_a_name_refuses_it() {
        let of = |list: &[&str]| {
            let found: Vec<SocketAddr> = list.iter().map(|a| a.parse().unwrap()).collect();
            all_public(&found)
        };
        assert!(of(&["93.184.216.34:443"]));
        assert!(!of(&["93.184.216.34:443", "127.0.0.1:443"]));
        assert!(!of(&["[::1]:443"]));
    }

    #[test]
    fn a_target_does_not_print_its_path() {
        let target = Target::parse("https://hooks.example.org/secret-path", false).unwrap();
        assert!(!format!("{target:?}").contains("secret-path"));
    }
}
