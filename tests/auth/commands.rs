//! The files of users and tokens, as the commands write them, and what `check` says of them.

use std::fs;

use anyhow::Result;

use crate::guarded::{PASSWORD, ends, ends_with_stdin, prepared};

#[test]
fn users_come_and_go() -> Result<()> {
    let (sandbox, _) = prepared()?;
    let file = || fs::read_to_string(sandbox.path().join("htpasswd"));
    let text = file()?;
    assert!(text.starts_with("ada:$argon2id$"), "{text}");
    assert!(text.contains("\nbob:$2"), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
    let add = "registry user add eve --password-stdin";
    ends_with_stdin(&sandbox, 7, add, "")?;
    ends_with_stdin(&sandbox, 7, add, "two\nlines")?;
    ends_with_stdin(&sandbox, 7, "registry user add a:b --password-stdin", "x")?;
    assert_eq!(file()?, text);
    ends(&sandbox, 0, "registry user remove bob")?;
    ends(&sandbox, 3, "registry user remove bob")?;
    assert!(!file()?.contains("bob"));
    Ok(())
}

#[test]
fn tokens_are_shown_once() -> Result<()> {
    let (sandbox, token) = prepared()?;
    let file = fs::read_to_string(sandbox.path().join("tokens.json"))?;
    assert!(token.starts_with("cairn_") && !file.contains(&token));
    ends(&sandbox, 6, "registry token create ci")?;
    ends(&sandbox, 7, "registry token create no --scope packs/**:fly")?;
    let listed = ends(&sandbox, 0, "registry token list")?;
    assert!(listed.contains("robot") && !listed.contains(&token));
    ends(&sandbox, 0, "registry token revoke ci")?;
    ends(&sandbox, 3, "registry token revoke ci")?;
    assert_eq!(ends(&sandbox, 0, "registry token list -o name")?, "");
    Ok(())
}

#[test]
fn a_policy_is_explained() -> Result<()> {
    let (sandbox, _) = prepared()?;
    let explain = "registry authz explain";
    let said = ends(&sandbox, 0, &format!("{explain} ada push packs/web:1"))?;
    assert!(said.contains("policy.yaml:4:3"), "{said}");
    ends(&sandbox, 5, &format!("{explain} bob push packs/web:1"))?;
    ends(&sandbox, 5, &format!("{explain} anonymous pull packs/web"))?;
    ends(&sandbox, 2, &format!("{explain} ada fly packs/web"))?;
    ends(&sandbox, 7, &format!("{explain} ada pull Packs"))?;
    Ok(())
}

#[test]
fn check_names_every_file_that_is_missing() -> Result<()> {
    let (sandbox, _) = prepared()?;
    ends(&sandbox, 0, "registry check registry.yaml")?;
    sandbox.write(
        "missing.yaml",
        "\
storage: {directory: data}
tls: {certificate: no.crt, key: data, clientCa: no.ca}
auth:
  policy: no.policy
  htpasswd: htpasswd
  tokens: no.tokens
  oidc:
  - {name: a, issuer: 'https://a', audiences: [a], jwks: {file: no.jwks}}
  - {name: b, issuer: 'https://b', audiences: [b], jwks: {url: {url: 'https://b/keys', caFile: no.jwks.ca}}}
trust: {policy: no.trust, host: registry.example.com}
",
    )?;
    sandbox.write("data/file", "")?;
    let said = ends(&sandbox, 7, "registry check missing.yaml")?;
    for (setting, reason) in [
        ("auth.policy", "`no.policy` does not exist"),
        ("auth.tokens", "`no.tokens` does not exist"),
        ("auth.oidc[0].jwks.file", "`no.jwks` does not exist"),
        (
            "auth.oidc[1].jwks.url.caFile",
            "`no.jwks.ca` does not exist",
        ),
        ("tls.certificate", "`no.crt` does not exist"),
        ("tls.key", "`data` is a folder"),
        ("tls.clientCa", "`no.ca` does not exist"),
        ("trust.policy", "`no.trust` does not exist"),
    ] {
        let problem = format!("`{setting}`: the file {reason}");
        assert!(said.contains(&problem), "{problem}\n{said}");
    }
    assert_eq!(said.matches("error[").count(), 8, "{said}");
    Ok(())
}
