//! Secrets that commands are given and files that hold some.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow};
use cairn_registry::auth::{MAX_PASSWORD_BYTES, TokensFile};

use crate::{
    config::Environment,
    exit::{ExitCode, Failure},
    files::{read_text, read_text_or_empty, replace_secret},
};

/// The password on standard input, without the end of its line.
pub(crate) fn password_from_stdin() -> Result<String, Failure> {
    let mut password = String::new();
    std::io::stdin()
        .take(MAX_PASSWORD_BYTES as u64 * 16)
        .read_to_string(&mut password)
        .context("failed to read the password from standard input")?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() || password.contains('\n') {
        let message = anyhow!("standard input holds no password, or more than one line");
        return Err(Failure::new(ExitCode::InvalidInput, message)
            .hint("pipe it in, as in `printf %s \"$PASSWORD\" | cairn …`"));
    }
    Ok(password)
}

/// Where docker's `config.json` is.
pub(crate) fn docker_config_path(environment: &Environment) -> Result<&Path, Failure> {
    environment.docker_config.as_deref().ok_or_else(|| {
        let message = anyhow!("there is no home folder to keep a login in");
        Failure::new(ExitCode::InvalidInput, message).hint("set `DOCKER_CONFIG` to a folder")
    })
}

/// A file of API tokens that is being changed.
#[derive(Debug)]
pub(crate) struct TokensOnDisk {
    path: PathBuf,
    pub(crate) file: TokensFile,
}

impl TokensOnDisk {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        Self::parse(path, &read_text(path)?)
    }

    pub(crate) fn open_or_new(path: &Path) -> Result<Self, Failure> {
        Self::parse(path, &read_text_or_empty(path)?)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let file = if text.trim().is_empty() {
            TokensFile::default()
        } else {
            let name = path.display().to_string();
            TokensFile::parse(&name, text).map_err(|error| {
                Failure::new(ExitCode::InvalidInput, error)
                    .hint("mend the file, or name another one with --file")
            })?
        };
        let path = path.to_owned();
        Ok(Self { path, file })
    }

    pub(crate) fn save(&self) -> Result<(), Failure> {
        let text =
            serde_json::to_string_pretty(&self.file).context("failed to write the tokens")?;
        Ok(replace_secret(&self.path, &(text + "\n"))?)
    }
}

/// Seconds since 1970.
pub(crate) fn unix_now_s() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| elapsed.as_secs())
}
