//! Who makes a request, and how that is known.

use std::{fmt, sync::Arc};

/// The name of whoever did not say who they are. Nobody else may be called so.
pub const ANONYMOUS: &str = "anonymous";

tokio::task_local! {
    static CURRENT: Option<Arc<Actor>>;
}

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user: [`ANONYMOUS`], a name of the password file or of a certificate, or, of an OIDC
    /// issuer, `<issuer's name>:<claim>`.
    pub name: String,
    /// The groups an OIDC issuer vouches for, as `<issuer's name>:<group>`. Those of the access
    /// policy are not repeated here.
    pub groups: Vec<String>,
    /// How the name is known.
    pub method: Method,
}

impl Actor {
    /// Somebody who did not say who they are.
    pub fn anonymous() -> Self {
        Self {
            name: ANONYMOUS.to_owned(),
            groups: Vec::new(),
            method: Method::Anonymous,
        }
    }

    /// Does work on an actor's behalf; whoever writes down what it changes asks [`Actor::current`].
    /// A task that it spawns is not meant: hand the actor on.
    pub(crate) fn acting<F: Future>(
        actor: Option<Arc<Self>>,
        work: F,
    ) -> impl Future<Output = F::Output> {
        CURRENT.scope(actor, work)
    }

    /// On whose behalf the present task works; nobody's if the registry does by itself.
    pub(crate) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Option::clone).ok().flatten()
    }

    /// The actor did not say who they are.
    pub fn is_anonymous(&self) -> bool {
        self.method == Method::Anonymous
    }
}

/// How an actor's name is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// It is not.
    Anonymous,
    /// By a password of the password file.
    Password,
    /// By the API token of this name.
    ApiToken(String),
    /// By an ID token of the OIDC issuer of this name.
    Oidc(String),
    /// By a client certificate.
    Certificate,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Password => f.write_str("password"),
            Self::ApiToken(name) => write!(f, "api-token:{name}"),
            Self::Oidc(issuer) => write!(f, "oidc:{issuer}"),
            Self::Certificate => f.write_str("certificate"),
        }
    }
}
