//! A connection to a node, and its requests.

use phalanx_proto::v1;
use phalanx_proto::v1::execution_service_client::ExecutionServiceClient;
use phalanx_proto::v1::query_service_client::QueryServiceClient;
use std::time::Duration;
use tokio_stream::Stream;
use tonic::codec::Streaming;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use crate::ClientError;
use crate::retry::Attempts;

/// Bytes of a message that the client takes in: a batch's receipts may be larger than the batch.
const MESSAGE_BYTES_MAX: usize = 256 << 20;
/// Bytes of a frame that a node may send. Each frame costs a system call on either side, and by default they are of 16 KiB; but the other
/// requests of a connection wait for the frame that is on its way.
const FRAME_BYTES_MAX: u32 = 128 << 10;

/// How often a node that says nothing is asked whether it is still there, and how long it has to answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How a client connects and asks.
#[derive(Clone, Debug)]
pub struct Options {
    /// The bearer token, if the node asks for one.
    pub token: Option<String>,
    /// Certificates, for `https`.
    pub tls: ClientTls,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How often a request that is executed once is tried.
    pub attempts: u32,
}

/// Certificates of a client, PEM.
#[derive(Clone, Debug, Default)]
pub struct ClientTls {
    /// Authority of the node's certificate.
    pub authority: Option<Vec<u8>>,
    /// The client's own certificate chain and key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
    /// The name in the node's certificate, if it is not the endpoint's.
    pub domain: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options { token: None, tls: ClientTls::default(), timeout: Duration::from_secs(30), attempts: 5 }
    }
}

/// Puts the token beside each request.
#[derive(Clone)]
pub(crate) struct WithToken(Option<MetadataValue<Ascii>>);

impl Interceptor for WithToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

type Intercepted = InterceptedService<Channel, WithToken>;

/// A connection to a node. Clones share it.
#[derive(Clone)]
pub struct Client {
    pub(crate) execution: ExecutionServiceClient<Intercepted>,
    query: QueryServiceClient<Intercepted>,
    options: Options,
}

impl Client {
    /// Connects to an endpoint, as `http://127.0.0.1:7400`.
    ///
    /// # Errors
    /// [`ClientError::Connection`]
    pub async fn connect(endpoint: impl Into<String>, options: Options) -> Result<Client, ClientError> {
        let mut endpoint = Endpoint::from_shared(endpoint.into())?.tcp_nodelay(true);
        if endpoint.uri().scheme_str() == Some("https") {
            let mut tls = ClientTlsConfig::new();
            if let Some(authority) = &options.tls.authority {
                tls = tls.ca_certificate(Certificate::from_pem(authority));
            }
            if let Some((certificate, key)) = &options.tls.identity {
                tls = tls.identity(Identity::from_pem(certificate, key));
            }
            if let Some(domain) = &options.tls.domain {
                tls = tls.domain_name(domain);
            }
            endpoint = endpoint.tls_config(tls)?;
        }
        let token = options.token.as_ref().map(|token| format!("Bearer {token}").parse()).transpose();
        let with_token = WithToken(token.map_err(|_| ClientError::Connection("the token is not ASCII".to_owned()))?);
        let endpoint = endpoint.connect_timeout(options.timeout);
        // A stream that waits for an answer would not notice that its node has gone without a word.
        let endpoint = endpoint.http2_keep_alive_interval(KEEPALIVE_INTERVAL).keep_alive_timeout(KEEPALIVE_TIMEOUT);
        let channel = endpoint.max_frame_size(FRAME_BYTES_MAX).connect().await?;
        let execution = ExecutionServiceClient::with_interceptor(channel.clone(), with_token.clone());
        let query = QueryServiceClient::with_interceptor(channel, with_token);
        Ok(Client {
            execution: execution.max_decoding_message_size(MESSAGE_BYTES_MAX),
            query: query.max_decoding_message_size(MESSAGE_BYTES_MAX),
            options,
        })
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.options.timeout
    }

    pub(crate) fn attempts(&self) -> Attempts {
        Attempts::new(self.options.attempts)
    }

    fn timed<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.options.timeout);
        request
    }

    /// Submits a call and waits until it is durable. A call without an id is given one, and is executed once however often
    /// this has to try.
    ///
    /// # Errors
    /// [`ClientError`]; after one that is transient the call may have been executed.
    pub async fn submit(&self, mut call: v1::Call) -> Result<v1::SubmitResponse, ClientError> {
        if call.id.is_none() {
            call.id = Some(new_id()?.to_vec().into());
        }
        let request = v1::SubmitRequest { call: Some(call), ..v1::SubmitRequest::default() };
        self.retrying(|| {
            let (mut execution, request) = (self.execution.clone(), self.timed(request.clone()));
            async move { execution.submit(request).await }
        })
        .await
    }

    /// Submits a call as the request says, in one attempt.
    ///
    /// # Errors
    /// [`ClientError`]; after one that is transient, and not for want of room, the call may have been executed.
    pub async fn try_submit(&self, request: v1::SubmitRequest) -> Result<v1::SubmitResponse, ClientError> {
        Ok(self.execution.clone().submit(self.timed(request)).await?.into_inner())
    }

    /// Submits calls that stay together as the request says, in one attempt.
    ///
    /// # Errors
    /// As of [`Client::try_submit`].
    pub async fn try_submit_batch(
        &self,
        request: v1::SubmitBatchRequest,
    ) -> Result<v1::SubmitBatchResponse, ClientError> {
        Ok(self.execution.clone().submit_batch(self.timed(request)).await?.into_inner())
    }

    /// A stream of submissions as it is, which ends with its connection. [`Session`](crate::Session) is one that does not.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn submit_stream(
        &self,
        requests: impl Stream<Item = v1::SubmitStreamRequest> + Send + 'static,
    ) -> Result<Streaming<v1::SubmitStreamResponse>, ClientError> {
        Ok(self.execution.clone().submit_stream(requests).await?.into_inner())
    }

    /// Deploys a module and waits until the contract is durable, once however often this has to try.
    ///
    /// # Errors
    /// [`ClientError`]; that a module is refused is an answer.
    pub async fn deploy(
        &self,
        sender: &[u8; 32],
        salt: &[u8; 32],
        module: Vec<u8>,
    ) -> Result<v1::DeployResponse, ClientError> {
        let request = v1::DeployRequest {
            sender: sender.to_vec().into(),
            salt: salt.to_vec().into(),
            module: module.into(),
            acknowledgement: v1::Acknowledgement::Durable.into(),
            id: Some(new_id()?.to_vec().into()),
        };
        self.retrying(|| {
            let (mut execution, request) = (self.execution.clone(), self.timed(request.clone()));
            async move { execution.deploy(request).await }
        })
        .await
    }

    /// Executes a call on the state, and changes nothing.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn simulate(&self, call: v1::Call) -> Result<v1::SimulateResponse, ClientError> {
        let request = v1::SimulateRequest { call: Some(call), height: None };
        self.retrying(|| {
            let (mut execution, request) = (self.execution.clone(), self.timed(request.clone()));
            async move { execution.simulate(request).await }
        })
        .await
    }

    /// Asks a contract something.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn query(&self, call: v1::Call) -> Result<v1::QueryResponse, ClientError> {
        let request = v1::QueryRequest { call: Some(call), height: None };
        self.retrying(|| {
            let (mut query, request) = (self.query.clone(), self.timed(request.clone()));
            async move { query.query(request).await }
        })
        .await
    }

    /// The receipt of a call at a place.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `NotFound` if there is none.
    pub async fn receipt(&self, height: u64, index: u32) -> Result<v1::GetReceiptResponse, ClientError> {
        let position = v1::get_receipt_request::Call::Position(v1::CallPosition { height, index });
        let request = v1::GetReceiptRequest { call: Some(position) };
        self.retrying(|| {
            let (mut query, request) = (self.query.clone(), self.timed(request.clone()));
            async move { query.get_receipt(request).await }
        })
        .await
    }

    /// Values of a contract's keys, all at one height.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn state(&self, contract: &[u8; 32], keys: Vec<Vec<u8>>) -> Result<v1::GetStateResponse, ClientError> {
        let keys = keys.into_iter().map(Into::into).collect();
        let request = v1::GetStateRequest { contract: contract.to_vec().into(), keys };
        self.retrying(|| {
            let (mut query, request) = (self.query.clone(), self.timed(request.clone()));
            async move { query.get_state(request).await }
        })
        .await
    }

    /// A contract, with its ABI.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `NotFound` if there is none.
    pub async fn contract(&self, contract: &[u8; 32]) -> Result<v1::GetContractResponse, ClientError> {
        let request = v1::GetContractRequest { contract: contract.to_vec().into(), include_module: false };
        self.retrying(|| {
            let (mut query, request) = (self.query.clone(), self.timed(request.clone()));
            async move { query.get_contract(request).await }
        })
        .await
    }

    /// Versions, heights and limits of the node.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn server_info(&self) -> Result<v1::GetServerInfoResponse, ClientError> {
        let request = v1::GetServerInfoRequest {};
        self.retrying(|| {
            let (mut query, request) = (self.query.clone(), self.timed(request));
            async move { query.get_server_info(request).await }
        })
        .await
    }

    /// Follows the history. To go on after an error, ask with the last message's `next` as `from`.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn subscribe(
        &self,
        request: v1::SubscribeRequest,
    ) -> Result<Streaming<v1::SubscribeResponse>, ClientError> {
        Ok(self.query.clone().subscribe(request).await?.into_inner())
    }

    async fn retrying<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let mut attempts = self.attempts();
        loop {
            match attempt().await {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) => attempts.after(status.into()).await?,
            }
        }
    }
}

/// A fresh id.
pub(crate) fn new_id() -> Result<[u8; 16], ClientError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(ClientError::Randomness)?;
    Ok(id)
}
