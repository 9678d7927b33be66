//! Writes logins into docker's `config.json`, where docker, helm, oras, cosign and skopeo find them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_spec::RegistryHost;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

/// The file with a login for a registry; all else in it stays.
///
/// `text` is the present file, empty if there is none. Fails with the reason if it is not what
/// docker writes.
pub fn with_login(
    text: &str,
    registry: &RegistryHost,
    username: &str,
    password: &str,
) -> Result<Zeroizing<String>, &'static str> {
    let mut config = parse(text)?;
    let pair = Zeroizing::new(format!("{username}:{password}"));
    let entry = json!({"auth": STANDARD.encode(pair.as_bytes())});
    auths(&mut config)?.insert(registry.to_string(), entry);
    Ok(print(config))
}

/// The file without the login for a registry; `None` if it holds none.
pub fn without_login(
    text: &str,
    registry: &RegistryHost,
) -> Result<Option<Zeroizing<String>>, &'static str> {
    let mut config = parse(text)?;
    let removed = auths(&mut config)?.remove(registry.as_str());
    Ok(removed.map(|_| print(config)))
}

fn parse(text: &str) -> Result<Map<String, Value>, &'static str> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_str(text).map_err(|_| "it is not what Docker writes")
}

fn auths(config: &mut Map<String, Value>) -> Result<&mut Map<String, Value>, &'static str> {
    let auths = config.entry("auths").or_insert_with(|| json!({}));
    auths.as_object_mut().ok_or("its `auths` are no map")
}

fn print(config: Map<String, Value>) -> Zeroizing<String> {
    Zeroizing::new(format!("{:#}\n", Value::Object(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_come_and_go_and_nothing_else_changes() {
        let host: RegistryHost = "127.0.0.1:5000".parse().unwrap();
        let present = r#"{"auths": {"a.b": {"auth": "eA=="}}, "credsStore": "x"}"#;
        let logged_in = with_login(present, &host, "ada", "s:ecret").unwrap();
        let parsed: Value = serde_json::from_str(&logged_in).unwrap();
        assert_eq!(
            parsed["auths"]["127.0.0.1:5000"]["auth"],
            "YWRhOnM6ZWNyZXQ="
        );
        assert_eq!(parsed["auths"]["a.b"]["auth"], "eA==");
        assert_eq!(parsed["credsStore"], "x");
        let logged_out = without_login(&logged_in, &host).unwrap().unwrap();
        assert!(!logged_out.contains("5000"));
        assert_eq!(without_login(&logged_out, &host), Ok(None));
        assert!(with_login("", &host, "a", "b").unwrap().contains("5000"));
        for bad in ["[]", "{", r#"{"auths": 1}"#] {
            assert!(with_login(bad, &host, "a", "b").is_err(), "{bad}");
        }
    }
}
