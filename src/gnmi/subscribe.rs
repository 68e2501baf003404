//! Subscribe without a session: ONCE, POLL, and a plain STREAM for the `discover` command.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::client::{Answers, Client, Encoding};
use super::error::Error;
use super::named::named_path;
use super::session::model::{How, Subscription};
use super::wire::convert::{self, Notification};
use super::wire::proto::{self, subscribe_response, subscription_list};

pub use super::wire::proto::subscription_list::Mode as ListMode;

/// One thing that came out of a subscription.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// Values as they came, paths made whole.
    Notification(Notification),
    /// All first values, or all values of a poll, were sent.
    Sync,
}

/// A subscription somebody looks at himself.
pub struct Telemetry {
    client: Client,
    paths: Arc<[crate::path::Path]>,
    stream: Answers,
    requests: mpsc::Sender<proto::SubscribeRequest>,
}

impl Telemetry {
    /// Opens it. An error of the first moment may come from [`Telemetry::next`] instead: it is the device's choice.
    ///
    /// # Errors
    /// Every variant but `Unknown` and `Timeout`.
    pub async fn open(
        client: &Client,
        mode: ListMode,
        subscriptions: &[Subscription],
        encoding: Encoding,
        updates_only: bool,
    ) -> Result<Self, Error> {
        let wanted: Vec<_> = subscriptions.iter().map(|subscription| (subscription, subscription.mode.into())).collect();
        let paths: Arc<[_]> = subscriptions.iter().map(|subscription| subscription.path.clone()).collect();
        let (requests, receiver) = mpsc::channel(4);
        let first = subscribe_request(&wanted, mode, encoding, updates_only);
        // The channel is new and has room.
        requests.try_send(first).map_err(|error| broken(client, error.to_string()))?;
        let stream = client.subscribe(ReceiverStream::new(receiver)).await.map_err(|status| explain(client, &paths, &status))?;
        Ok(Self { client: client.clone(), paths, stream, requests })
    }

    /// The next thing; `None` when the device ended the subscription in order.
    ///
    /// # Errors
    /// As [`Telemetry::open`].
    pub async fn next(&mut self) -> Result<Option<Incoming>, Error> {
        loop {
            let message = self.stream.message().await.map_err(|status| explain(&self.client, &self.paths, &status))?;
            let Some(bytes) = message else { return Ok(None) };
            let response = <proto::SubscribeResponse as prost::Message>::decode(bytes)
                .map_err(|error| broken(&self.client, format!("a message that is no SubscribeResponse: {error}")))?;
            #[allow(deprecated)]
            match response.response {
                Some(subscribe_response::Response::Update(message)) => {
                    return Ok(Some(Incoming::Notification(convert::notification(&message))));
                }
                Some(subscribe_response::Response::SyncResponse(_)) => return Ok(Some(Incoming::Sync)),
                Some(subscribe_response::Response::Error(error)) => {
                    let code = Code::from_i32(i32::try_from(error.code).unwrap_or(2));
                    return Err(explain(&self.client, &self.paths, &Status::new(code, error.message)));
                }
                None => {}
            }
        }
    }

    /// Asks for all values once more, of a POLL subscription.
    ///
    /// # Errors
    /// [`Error::Broken`] when the subscription is over.
    pub async fn poll(&mut self) -> Result<(), Error> {
        let request = proto::subscribe_request::Request::Poll(proto::Poll {});
        let request = proto::SubscribeRequest { request: Some(request), ..proto::SubscribeRequest::default() };
        self.requests.send(request).await.map_err(|_| broken(&self.client, "the subscription is over".to_owned()))
    }

    /// Everything up to the next sync or the end.
    ///
    /// # Errors
    /// As [`Telemetry::open`].
    pub async fn until_sync(&mut self) -> Result<Vec<Notification>, Error> {
        let mut notifications = Vec::new();
        while let Some(Incoming::Notification(notification)) = self.next().await? {
            notifications.push(notification);
        }
        Ok(notifications)
    }
}

/// Subscribes ONCE: all values now, within the target's time for a Get.
///
/// # Errors
/// Every variant but `Unknown`.
pub async fn once(client: &Client, subscriptions: &[Subscription], encoding: Encoding) -> Result<Vec<Notification>, Error> {
    let limit = client.target().get_timeout;
    let all = async {
        let mut telemetry = Telemetry::open(client, ListMode::Once, subscriptions, encoding, false).await?;
        telemetry.until_sync().await
    };
    match tokio::time::timeout(limit, all).await {
        Ok(result) => result,
        Err(_) => Err(Error::Timeout { device: client.target().name.clone(), what: "Subscribe ONCE".to_owned(), seconds: limit.as_secs() }),
    }
}

fn broken(client: &Client, reason: String) -> Error {
    Error::Broken { device: client.target().name.clone(), reason }
}

fn explain(client: &Client, paths: &[crate::path::Path], status: &Status) -> Error {
    let error = client.error("Subscribe", status);
    let named = match &error {
        Error::Rejected { reason, .. } => named_path(reason, paths).or((paths.len() == 1).then_some(0)),
        _ => None,
    };
    error.about(named.and_then(|index| paths.get(index)))
}

/// The request of a subscription. Paths that are not streamed (`Get`, `GivenUp`) are asked for as the device thinks best.
pub fn subscribe_request(
    wanted: &[(&Subscription, How)],
    mode: subscription_list::Mode,
    encoding: Encoding,
    updates_only: bool,
) -> proto::SubscribeRequest {
    let nanoseconds = |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let subscription = wanted
        .iter()
        .map(|(subscription, how)| proto::Subscription {
            path: Some(convert::path_message(&subscription.path)),
            mode: match how {
                How::OnChange => proto::SubscriptionMode::OnChange,
                How::Sample => proto::SubscriptionMode::Sample,
                How::TargetDefined | How::Get | How::GivenUp => proto::SubscriptionMode::TargetDefined,
            }
            .into(),
            sample_interval: if *how == How::Sample { nanoseconds(subscription.interval) } else { 0 },
            heartbeat_interval: if *how == How::OnChange { nanoseconds(subscription.heartbeat) } else { 0 },
            ..proto::Subscription::default()
        })
        .collect();
    let list = proto::SubscriptionList {
        subscription,
        mode: mode.into(),
        encoding: encoding.into(),
        updates_only,
        ..proto::SubscriptionList::default()
    };
    proto::SubscribeRequest { request: Some(proto::subscribe_request::Request::Subscribe(list)), ..proto::SubscribeRequest::default() }
}
