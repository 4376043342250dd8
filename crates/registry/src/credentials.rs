//! Access keys and authorization tokens (auth.md 1.7, 5.1).
//!
//! A token is sealed, not stored: it opens without a read. Whether its key still works is looked
//! up at most every five seconds per key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::lightsail::addresses::RoleId;
use roadstead_domain::lightsail::names::ServiceName;
use roadstead_domain::time::{Span, Timestamp};
use roadstead_store::metadata::AccessKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Registry;
use crate::cache::Cache;
use crate::context::{ContainerPuller, Principal, RequestContext};
use crate::error::Error;
use crate::keyring::Purpose;

/// A revoked key stops working within this time on every node (design decision 8).
const KEY_CACHE_AGE: Span = Span::seconds(5);
/// More keys than this are not remembered at once.
const KEY_CACHE_ENTRIES_MAX: usize = 10_000;
/// What opened tokens take together, bytes.
const TOKEN_CACHE_BYTES: usize = 2 * 1024 * 1024;
/// What one takes besides, about.
const TOKEN_BYTES: usize = 400;
/// How long a node has for a pull; ours.
const NODE_TOKEN_LIFETIME: Span = Span::hours(1);
/// How long a token of the token endpoint is good for whoever has logged in: clients ask for the
/// next one by themselves (auth.md 5.4).
const BEARER_TOKEN_LIFETIME: Span = Span::seconds(15 * 60);
/// The same for nobody in particular.
const ANONYMOUS_TOKEN_LIFETIME: Span = Span::hours(1);
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A fresh access key; the only time that its secret is shown.
pub struct NewAccessKey {
    /// `AKIA` and 16 characters.
    pub id: String,
    /// 40 characters.
    pub secret: Zeroizing<String>,
}

/// A working access key.
#[derive(Clone)]
pub struct KnownKey {
    /// The account whose root it is.
    pub account: AccountId,
    /// Its secret.
    pub secret: Zeroizing<String>,
}

/// An authorization token for `docker login`.
pub struct AuthorizationToken {
    /// The password that goes with the user name `AWS`: no colon, no white space, under 2,000 bytes.
    pub password: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Audience {
    /// Private registries (ECR's GetAuthorizationToken).
    Private,
    /// The public registry (ECR Public's GetAuthorizationToken).
    Public,
    /// Requests to the public registry (its token endpoint): no login, and not for another one.
    Bearer,
    /// Pushes of container images (Lightsail's CreateContainerServiceRegistryLogin).
    ContainerPush,
    /// Pulls of container images, by the nodes that run them.
    ContainerPull,
}

/// Who a token speaks for, where, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHolder {
    /// The principal that asked for the token.
    pub principal: Principal,
    /// The region in which it asked.
    pub region: Region,
    /// When it ends.
    pub until: Timestamp,
    /// The account whose registry it leads to on hosts that name none; the principal's own if
    /// none.
    pub registry: Option<AccountId>,
    /// What it is good for.
    pub audience: Audience,
}

/// Why a password is not accepted.
#[derive(Debug)]
pub enum TokenRefusal {
    /// Not made here, changed, or its key no longer works.
    Invalid,
    /// Its time is over.
    Expired,
    /// The store could not be asked.
    Failed(Error),
}

/// Working keys seen a moment ago.
#[derive(Default)]
pub(crate) struct KeyCache(Mutex<HashMap<String, (Timestamp, Arc<KnownKey>)>>);

impl KeyCache {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Timestamp, Arc<KnownKey>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, id: &str, now: Timestamp) -> Option<Arc<KnownKey>> {
        let keys = self.lock();
        let (seen_at, key) = keys.get(id)?;
        let is_fresh = *seen_at <= now && now < *seen_at + KEY_CACHE_AGE;
        is_fresh.then(|| key.clone())
    }

    fn put(&self, id: &str, key: &Arc<KnownKey>, now: Timestamp) {
        let mut keys = self.lock();
        if keys.len() >= KEY_CACHE_ENTRIES_MAX {
            keys.clear();
        }
        keys.insert(id.to_owned(), (now, key.clone()));
    }

    fn remove(&self, id: &str) {
        self.lock().remove(id);
    }
}

/// Who tokens speak for, by the hash of the token: what a token says never changes, and the ring
/// that opens it is the server's for as long as it runs. Whether its time is over and whether its
/// key still works is asked on each use. Nothing of the tokens themselves is kept, and no time
/// tells how much of a guess is right.
pub(crate) struct TokenCache(Cache<[u8; 32], Arc<TokenHolder>>);

impl Default for TokenCache {
    fn default() -> Self {
        Self(Cache::new(TOKEN_CACHE_BYTES))
    }
}

fn sha256(text: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

impl Registry {
    /// Makes an access key for an account's root.
    pub async fn create_access_key(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<NewAccessKey, Error> {
        let mut random = Zeroizing::new([0; 16 + 30]);
        self.ids.fill(&mut random[..]);
        let letters = random[..16]
            .iter()
            .map(|byte| char::from(BASE32[usize::from(byte % 32)]));
        let id: String = "AKIA".chars().chain(letters).collect();
        let secret = Zeroizing::new(STANDARD.encode(&random[16..]));
        let mut nonce = [0; 12];
        self.ids.fill(&mut nonce);
        let sealed_secret = self.keyring.seal(Purpose::Secret, nonce, secret.as_bytes());
        let key = AccessKey {
            id: id.clone(),
            account,
            sealed_secret,
            created_at: now,
            disabled_at: None,
        };
        self.metadata
            .write(key, |tx, key| {
                Box::pin(async move {
                    match tx.insert_access_key(key).await? {
                        true => Ok(()),
                        false => Err(Error::LimitExceeded("tries to find a free access key id")),
                    }
                })
            })
            .await?;
        Ok(NewAccessKey { id, secret })
    }

    /// The access keys of an account, or of every account.
    pub async fn access_keys(&self, account: Option<AccountId>) -> Result<Vec<AccessKey>, Error> {
        self.metadata
            .read(account, |tx, account| {
                Box::pin(async move { Ok(tx.access_keys(account.as_ref()).await?) })
            })
            .await
    }

    /// Makes a key stop working; false if there is none.
    pub async fn disable_access_key(&self, id: &str, now: Timestamp) -> Result<bool, Error> {
        let was_there = self
            .metadata
            .write((id.to_owned(), now), |tx, (id, now)| {
                Box::pin(async move { Ok::<_, Error>(tx.disable_access_key(id, *now).await?) })
            })
            .await?;
        self.key_cache.remove(id);
        Ok(was_there)
    }

    /// The key with this id, if it works.
    pub async fn known_key(
        &self,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<KnownKey>>, Error> {
        if let Some(key) = self.key_cache.get(id, now) {
            return Ok(Some(key));
        }
        let stored = self
            .metadata
            .read(id.to_owned(), |tx, id| {
                Box::pin(async move { Ok::<_, Error>(tx.access_key(id).await?) })
            })
            .await?;
        let Some(stored) = stored.filter(|key| key.disabled_at.is_none()) else {
            return Ok(None);
        };
        let Ok(plain) = self.keyring.open(Purpose::Secret, &stored.sealed_secret) else {
            tracing::error!(
                key = id,
                "the secret of an access key does not open under this key ring"
            );
            return Ok(None);
        };
        let Ok(secret) = String::from_utf8(plain.to_vec()) else {
            return Ok(None);
        };
        let key = Arc::new(KnownKey {
            account: stored.account,
            secret: Zeroizing::new(secret),
        });
        self.key_cache.put(id, &key, now);
        Ok(Some(key))
    }

    /// Makes a token that speaks for the caller in its region.
    pub fn issue_token(&self, context: &RequestContext, audience: Audience) -> AuthorizationToken {
        let expires_at = context.now + self.rules.token_lifetime;
        self.seal_token(&context.principal, &context.region, audience, expires_at)
    }

    /// Makes a token with which a node pulls the container images of an account in a region.
    pub fn issue_pull_token(
        &self,
        account: &AccountId,
        region: &Region,
        now: Timestamp,
    ) -> AuthorizationToken {
        let principal = Principal::Root {
            account: account.clone(),
            access_key_id: None,
        };
        let expires_at = now + NODE_TOKEN_LIFETIME;
        self.seal_token(&principal, region, Audience::ContainerPull, expires_at)
    }

    /// Makes a token with which a container service pulls from private repositories of `registry`
    /// in its region.
    pub fn issue_private_pull_token(
        &self,
        role: &ContainerPuller,
        registry: &AccountId,
        now: Timestamp,
    ) -> AuthorizationToken {
        let mut text = TokenText::new(
            &Principal::ContainerPuller(role.clone()),
            &role.region,
            Audience::Private,
            now + NODE_TOKEN_LIFETIME,
        );
        text.registry = Some(registry.to_string());
        self.sealed_token(&text)
    }

    /// Makes a token of the public registry's token endpoint: for whoever shows the login of
    /// `holder`, no longer than that, or for nobody in particular.
    pub fn issue_bearer_token(
        &self,
        holder: Option<&TokenHolder>,
        region: &Region,
        now: Timestamp,
    ) -> AuthorizationToken {
        let (principal, region, until) = match holder {
            None => (
                &Principal::Anonymous,
                region,
                now + ANONYMOUS_TOKEN_LIFETIME,
            ),
            Some(holder) => {
                let until = holder.until.min(now + BEARER_TOKEN_LIFETIME);
                (&holder.principal, &holder.region, until)
            }
        };
        self.seal_token(principal, region, Audience::Bearer, until)
    }

    fn seal_token(
        &self,
        principal: &Principal,
        region: &Region,
        audience: Audience,
        expires_at: Timestamp,
    ) -> AuthorizationToken {
        self.sealed_token(&TokenText::new(principal, region, audience, expires_at))
    }

    fn sealed_token(&self, text: &TokenText) -> AuthorizationToken {
        let plain = serde_json::json!(text).to_string();
        let mut nonce = [0; 12];
        self.ids.fill(&mut nonce);
        let sealed = self.keyring.seal(Purpose::Token, nonce, plain.as_bytes());
        AuthorizationToken {
            password: URL_SAFE_NO_PAD.encode(sealed),
            expires_at: Timestamp(text.until),
        }
    }

    /// Opens a token.
    pub async fn open_token(
        &self,
        password: &str,
        now: Timestamp,
    ) -> Result<TokenHolder, TokenRefusal> {
        let holder = self.unseal(password).ok_or(TokenRefusal::Invalid)?;
        if now >= holder.until {
            return Err(TokenRefusal::Expired);
        }
        if let Some(id) = holder.principal.access_key_id() {
            let key = self
                .known_key(id, now)
                .await
                .map_err(TokenRefusal::Failed)?;
            key.filter(|key| Some(&key.account) == holder.principal.account())
                .ok_or(TokenRefusal::Invalid)?;
        }
        Ok(holder)
    }

    fn unseal(&self, password: &str) -> Option<TokenHolder> {
        let hash = sha256(password);
        if let Some(holder) = self.token_cache.0.get(&hash) {
            return Some(TokenHolder::clone(&holder));
        }
        let holder = self.open_sealed(password)?;
        let bytes = password.len() + TOKEN_BYTES;
        self.token_cache
            .0
            .put(&hash, Arc::new(holder.clone()), bytes);
        Some(holder)
    }

    fn open_sealed(&self, password: &str) -> Option<TokenHolder> {
        let sealed = URL_SAFE_NO_PAD.decode(password).ok()?;
        let plain = self.keyring.open(Purpose::Token, &sealed).ok()?;
        let text: TokenText = serde_json::from_slice(&plain).ok()?;
        text.holder()
    }
}

/// What is sealed in a token.
#[derive(Serialize, Deserialize)]
struct TokenText {
    account: Option<String>,
    region: String,
    key: Option<String>,
    /// Name of a container service and id of its role.
    role: Option<(String, String)>,
    registry: Option<String>,
    audience: Audience,
    until: i64,
}

impl TokenText {
    fn new(principal: &Principal, region: &Region, audience: Audience, until: Timestamp) -> Self {
        Self {
            account: principal.account().map(ToString::to_string),
            region: region.to_string(),
            key: principal.access_key_id().map(str::to_owned),
            role: match principal {
                Principal::Anonymous | Principal::Root { .. } => None,
                Principal::ContainerPuller(role) => {
                    Some((role.service.to_string(), role.id.to_string()))
                }
            },
            registry: None,
            audience,
            until: until.0,
        }
    }

    fn holder(self) -> Option<TokenHolder> {
        let region = Region::parse(&self.region).ok()?;
        let account = self.account.as_deref().map(AccountId::parse).transpose();
        let principal = match (account.ok()?, self.role) {
            (None, _) => Principal::Anonymous,
            (Some(account), None) => Principal::Root {
                account,
                access_key_id: self.key,
            },
            (Some(lightsail), Some((service, id))) => Principal::ContainerPuller(ContainerPuller {
                lightsail,
                region: region.clone(),
                service: ServiceName::parse(&service).ok()?,
                id: RoleId::parse(&id).ok()?,
            }),
        };
        let registry = self.registry.as_deref().map(AccountId::parse).transpose();
        Some(TokenHolder {
            until: Timestamp(self.until),
            registry: registry.ok()?,
            principal,
            region,
            audience: self.audience,
        })
    }
}
