//! Documents at a URL that is not a registry's, such as the index of a repository of charts.

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode, header};
use reqwest::{Response, Url};

use super::{
    Client,
    transport::{error_text, shown},
};
use crate::{Error, RequestError, limits};

impl Client {
    /// Reads a document of at most `limit_bytes`. `authorization` is for the host of the URL alone:
    /// it does not follow a redirect to another one.
    pub(crate) async fn read_document(
        &self,
        url: &Url,
        authorization: Option<&HeaderValue>,
        limit_bytes: usize,
    ) -> Result<Bytes, Error> {
        let subject = shown(url);
        let response = self.repeat(&subject, || {
            let mut request = self.inner.http.get(url.clone());
            request = request.timeout(self.inner.options.document_timeout);
            if let Some(authorization) = authorization {
                request = request.header(header::AUTHORIZATION, authorization.clone());
            }
            async move {
                Box::pin(request.send())
                    .await
                    .map_err(|error| failed(url, error))
            }
        });
        read(response.await?, limit_bytes).await
    }
}

fn failed(url: &Url, error: reqwest::Error) -> Error {
    Error::Request {
        method: Method::GET,
        url: shown(url),
        source: RequestError::new(error),
    }
}

async fn read(response: Response, limit_bytes: usize) -> Result<Bytes, Error> {
    let url = response.url().clone();
    let what = shown(&url);
    let status = response.status();
    if status.is_success() {
        return bounded(response, &url, limit_bytes).await;
    }
    let body = bounded(response, &url, limits::MAX_ERROR_BYTES).await;
    let reason = match body {
        Ok(body) if !body.is_empty() => error_text(&body),
        _ => status
            .canonical_reason()
            .unwrap_or("no reason given")
            .to_owned(),
    };
    Err(match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Error::NotFound { what },
        StatusCode::UNAUTHORIZED => Error::Unauthenticated { what, reason },
        StatusCode::FORBIDDEN => Error::Denied { what, reason },
        _ => Error::Registry {
            method: Method::GET,
            url: what,
            status,
            reason,
        },
    })
}

async fn bounded(mut response: Response, url: &Url, limit_bytes: usize) -> Result<Bytes, Error> {
    let too_large = || Error::Limit {
        what: shown(url),
        limit: limit_bytes as u64,
        unit: "bytes",
    };
    if response
        .content_length()
        .is_some_and(|length| length > limit_bytes as u64)
    {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(url, error))? {
        if body.len() + chunk.len() > limit_bytes {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
