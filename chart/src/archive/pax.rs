//! The records of a PAX header, of which only names and sizes matter here.

use super::failure::Failure;

/// Records that are about the next entry.
#[derive(Debug, Default)]
pub(super) struct Records {
    path: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl Records {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, Failure> {
        let mut records = Self::default();
        while !bytes.is_empty() {
            let (key, value, rest) = record(bytes).ok_or(Failure::Tar)?;
            records.add(key, value)?;
            bytes = rest;
        }
        Ok(records)
    }

    fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        let has_nul = |bytes: &[u8]| bytes.contains(&0);
        let forbidden = match key {
            b"path" | b"linkpath" | b"uname" | b"gname" => has_nul(value),
            _ => has_nul(key),
        };
        if forbidden {
            return Err(Failure::Tar);
        }
        // An empty value leaves what the header says, also of earlier records.
        let given = !value.is_empty();
        match key {
            b"path" => self.path = given.then(|| value.to_vec()),
            b"size" => {
                let size = given.then(|| integer(value).and_then(|size| size.try_into().ok()));
                self.size = size.map(|size| size.ok_or(Failure::Tar)).transpose()?;
            }
            b"uid" | b"gid" if given => {
                integer(value).ok_or(Failure::Tar)?;
            }
            b"atime" | b"mtime" | b"ctime" if given => check_time(value)?,
            _ => self.sparse |= key.starts_with(b"GNU.sparse.") && given,
        }
        Ok(())
    }

    /// Puts what the records say in the place of what the header says.
    pub(super) fn apply(&self, name: &mut Vec<u8>, size: &mut u64) {
        if let Some(path) = &self.path {
            name.clone_from(path);
        }
        if let Some(said) = self.size {
            *size = said;
        }
    }

    pub(super) fn are_sparse(&self) -> bool {
        self.sparse
    }
}

/// `LENGTH KEY=VALUE\n`, where the length counts all of it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let length = integer(bytes.get(..space)?)?;
    let length = usize::try_from(length).ok().filter(|length| *length >= 5)?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (record.get(..equals)?, record.get(equals + 1..)?);
    (!key.is_empty()).then_some((key, value, rest))
}

/// Go's `ParseInt` in base 10.
fn integer(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.parse().ok()
}

fn check_time(value: &[u8]) -> Result<(), Failure> {
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    let seconds = parts.next().and_then(integer);
    let fraction = parts.next().unwrap_or_default();
    if seconds.is_none() || !fraction.iter().all(u8::is_ascii_digit) {
        return Err(Failure::Tar);
    }
    Ok(())
}
