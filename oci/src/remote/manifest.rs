//! Manifests: resolve, read, write, delete.

use bytes::Bytes;
use cairn_spec::{Descriptor, Digest, Manifest, media_type};
use http::{HeaderMap, Method, header};

use super::{
    Repository,
    auth::Access,
    blob::reader,
    endpoint::Endpoint,
    transport::{Call, check, read_limited},
};
use crate::{
    Error, limits,
    store::{Name, VerifyReader},
};

const CONTENT_DIGEST: &str = "Docker-Content-Digest";
const SUBJECT: &str = "OCI-Subject";

/// All kinds of manifest that are read.
const ACCEPT: [&str; 4] = [
    media_type::OCI_MANIFEST,
    media_type::OCI_INDEX,
    media_type::DOCKER_MANIFEST,
    media_type::DOCKER_MANIFEST_LIST,
];

impl Repository {
    /// What a name stands for, without reading it where the registry tells in headers.
    pub async fn resolve_manifest(&self, name: &Name) -> Result<Descriptor, Error> {
        let subject = name.to_string();
        let call = self.call(Access::Pull, &subject);
        let url = self.url(Endpoint::Manifest(name))?;
        let request = |http: &reqwest::Client| {
            http.head(url.clone())
                .header(header::ACCEPT, ACCEPT.join(", "))
        };
        let response = self.client.send(call, request).await?;
        let response = check(call, Method::HEAD, response).await?;
        match described(response.headers()) {
            Some(descriptor) => match name {
                Name::Digest(digest) if *digest != descriptor.digest => {
                    Err(call.bad_answer(format!("it has the digest `{}`", descriptor.digest)))
                }
                _ => Ok(descriptor),
            },
            None => Ok(self.read_manifest(name).await?.0),
        }
    }

    /// Reads the manifest that a name stands for. By digest, the bytes must have that digest.
    pub async fn read_manifest(&self, name: &Name) -> Result<(Descriptor, Manifest), Error> {
        let subject = name.to_string();
        let call = self.call(Access::Pull, &subject);
        let url = self.url(Endpoint::Manifest(name))?;
        let request = |http: &reqwest::Client| {
            http.get(url.clone())
                .header(header::ACCEPT, ACCEPT.join(", "))
        };
        let response = self.client.send(call, request).await?;
        let response = check(call, Method::GET, response).await?;
        let served_as = content_type(response.headers());
        let promised = content_digest(response.headers());
        let bytes = read_limited(call, response, limits::MAX_MANIFEST_BYTES).await?;
        let expected = match name {
            Name::Digest(digest) => Some(digest.clone()),
            Name::Tag(_) => promised,
        };
        if let Some(expected) = &expected
            && !expected.matches(&bytes)
        {
            let found = Digest::sha256(&bytes);
            return Err(call.bad_answer(format!(
                "the content has the digest `{found}`, not `{expected}`"
            )));
        }
        let manifest = Manifest::parse(bytes.into(), served_as.as_deref())
            .map_err(Error::artifact(format!("{}:{subject}", self.origin)))?;
        let mut descriptor = manifest.descriptor();
        if let Some(expected) = expected {
            descriptor.digest = expected;
        }
        Ok((descriptor, manifest))
    }

    pub(super) async fn fetch_manifest(
        &self,
        descriptor: &Descriptor,
    ) -> Result<VerifyReader, Error> {
        let name = Name::Digest(descriptor.digest.clone());
        let call = self.call(Access::Pull, descriptor.digest.as_str());
        let url = self.url(Endpoint::Manifest(&name))?;
        let request = |http: &reqwest::Client| {
            http.get(url.clone())
                .header(header::ACCEPT, &descriptor.media_type)
        };
        let response = self.client.send(call, request).await?;
        let response = check(call, Method::GET, response).await?;
        Ok(reader(descriptor, response))
    }

    /// Writes a manifest under a name. When it refers to another and the registry has no
    /// referrers API, the list under the referrers tag is kept up to date.
    pub(super) async fn write_manifest(
        &self,
        name: &Name,
        manifest: &Manifest,
    ) -> Result<(), Error> {
        let written = self.put_manifest(name, manifest).await?;
        match manifest.subject() {
            Some(subject) if !written.registry_lists_it => {
                self.add_to_referrers_tag(&subject.digest, &manifest.referrer_descriptor())
                    .await
            }
            _ => Ok(()),
        }
    }

    /// Writes a manifest and nothing else.
    pub(super) async fn put_manifest(
        &self,
        name: &Name,
        manifest: &Manifest,
    ) -> Result<Written, Error> {
        let subject = name.to_string();
        let call = self.call(Access::Push, &subject);
        let url = self.url(Endpoint::Manifest(name))?;
        let body = Bytes::copy_from_slice(manifest.bytes());
        let request = |http: &reqwest::Client| {
            http.put(url.clone())
                .header(header::CONTENT_TYPE, manifest.media_type())
                .body(body.clone())
        };
        let response = self.client.send(call, request).await?;
        let response = check(call, Method::PUT, response).await?;
        check_written(call, name, manifest, response.headers())?;
        Ok(Written {
            registry_lists_it: response.headers().contains_key(SUBJECT),
        })
    }

    pub(super) async fn delete_manifest(&self, name: &Name) -> Result<(), Error> {
        let subject = name.to_string();
        let call = self.call(Access::Push, &subject);
        let url = self.url(Endpoint::Manifest(name))?;
        let response = self
            .client
            .send(call, |http| http.delete(url.clone()))
            .await?;
        check(call, Method::DELETE, response).await?;
        Ok(())
    }
}

/// What a registry did with a manifest.
pub(super) struct Written {
    /// It keeps the list of referrers itself.
    registry_lists_it: bool,
}

fn check_written(
    call: Call<'_>,
    name: &Name,
    manifest: &Manifest,
    headers: &HeaderMap,
) -> Result<(), Error> {
    let expected = match name {
        Name::Digest(digest) => digest,
        Name::Tag(_) => manifest.digest(),
    };
    match content_digest(headers) {
        Some(found) if found != *expected => {
            Err(call.bad_answer(format!("it was stored as `{found}`, not as `{expected}`")))
        }
        _ => Ok(()),
    }
}

fn described(headers: &HeaderMap) -> Option<Descriptor> {
    let size = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    let media_type = content_type(headers)?;
    cairn_spec::is_manifest_type(&media_type).then_some(Descriptor::new(
        media_type,
        content_digest(headers)?,
        size.parse().ok()?,
    ))
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or(text).trim().to_owned())
}

fn content_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get(CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
}
