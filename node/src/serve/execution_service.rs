//! `phalanx.v1.ExecutionService`.

use phalanx_engine::limits::MODULE_BYTES_MAX;
use phalanx_engine::{SYSTEM_CONTRACT, Submission as SessionPosition, deploy_arguments, deploy_gas};
use phalanx_proto::answers::EncodedSubmitBatchResponse;
use phalanx_proto::v1::execution_service_server::ExecutionService;
use phalanx_proto::v1::submit_batch_request::Calls as BatchCalls;
use phalanx_proto::{Message, v1};
use tonic::{Request, Response, Status, Streaming};

use super::access::{Principal, Role};
use super::limits::QUESTION_BYTES_MAX;
use super::node::{Node, deadline};
use super::questions::Wanted;
use super::refusal::Refusal;
use super::session_stream::{self, Answers};
use super::spans;
use super::submission::{Known, Level, Reached};
use super::wire::{self, Calls};

#[tonic::async_trait]
impl ExecutionService for Node {
    async fn submit(&self, request: Request<v1::SubmitRequest>) -> Result<Response<v1::SubmitResponse>, Status> {
        let principal = self.shared.access.check(&request, Role::Submit)?;
        let deadline = deadline(request.metadata());
        let v1::SubmitRequest { call, acknowledgement } = request.into_inner();
        let level = wire::level(acknowledgement)?;
        let reached = submit_single(self, &principal, call, level, deadline).await?;
        let (height, acknowledgement) = (reached.height(), wire::acknowledgement(level));
        let answer = match reached {
            Reached::Ordered(notice) => {
                v1::SubmitResponse { ordered: Some(notice), acknowledgement, ..v1::SubmitResponse::default() }
            }
            Reached::Executed(mut answered) => v1::SubmitResponse {
                position: Some(answered.position.first()),
                receipt: wire::first_receipt(&answered.encoded),
                acknowledgement,
                repeated: answered.repeated,
                explanation: wire::explanation_of(&mut answered),
                ordered: None,
            },
        };
        Ok(spans::answer(answer, height))
    }

    async fn submit_batch(
        &self,
        request: Request<v1::SubmitBatchRequest>,
    ) -> Result<Response<EncodedSubmitBatchResponse>, Status> {
        let principal = self.shared.access.check(&request, Role::Submit)?;
        let deadline = deadline(request.metadata());
        let v1::SubmitBatchRequest { calls, acknowledgement, receipt_form, session } = request.into_inner();
        let (level, canonical) = (wire::level(acknowledgement)?, wire::is_canonical(receipt_form)?);
        let calls = match wire::required("calls", calls)? {
            BatchCalls::List(list) => Calls::list(&list)?,
            BatchCalls::Columns(columns) => Calls::columns(columns)?,
        };
        principal.check_calls(&calls)?;
        let calls = self.check_signatures(calls).await?;
        let known = match session {
            None => Known::Unknown,
            Some(v1::SessionPosition { session, sequence }) => {
                principal.check_sessions()?;
                let session = wire::fixed("session.session", &session)?;
                in_session(&principal, &session, sequence, &calls)
            }
        };
        let admitted = self.admit(calls, known, level, deadline).await?;
        let reached = self.answer(admitted).await?;
        let height = reached.height();
        let receipts = wire::receipts_of(reached, level, canonical);
        Ok(spans::answer(EncodedSubmitBatchResponse { receipts }, height))
    }

    type SubmitStreamStream = Answers;

    async fn submit_stream(
        &self,
        request: Request<Streaming<v1::SubmitStreamRequest>>,
    ) -> Result<Response<Self::SubmitStreamStream>, Status> {
        let principal = self.shared.access.check(&request, Role::Submit)?;
        Ok(Response::new(session_stream::answers(self.clone(), principal, request.into_inner())))
    }

    async fn deploy(&self, request: Request<v1::DeployRequest>) -> Result<Response<v1::DeployResponse>, Status> {
        let principal = self.shared.access.check(&request, Role::Deploy)?;
        let deadline = deadline(request.metadata());
        let v1::DeployRequest { sender, salt, module, acknowledgement, id } = request.into_inner();
        let level = wire::level(acknowledgement)?;
        wire::address("sender", &sender)?;
        if module.len() > MODULE_BYTES_MAX {
            let (actual, max) = (module.len() as u64, MODULE_BYTES_MAX as u64);
            return Err(Refusal::limit("module", "module_bytes", actual, max).into());
        }
        let salt = if salt.is_empty() { [0; 32] } else { wire::fixed("salt", &salt)? };
        let call = v1::Call {
            contract: wire::copied(&SYSTEM_CONTRACT),
            method: "deploy".to_owned(),
            sender,
            arguments: deploy_arguments(&salt, &module).into(),
            gas_limit: deploy_gas(module.len()),
            id,
            signature: None,
        };
        let acknowledgement = wire::acknowledgement(level);
        let reached = submit_single(self, &principal, Some(call), level, deadline).await?;
        let height = reached.height();
        let mut answered = match reached {
            Reached::Executed(answered) => answered,
            Reached::Ordered(notice) => {
                let answer =
                    v1::DeployResponse { ordered: Some(notice), acknowledgement, ..v1::DeployResponse::default() };
                return Ok(spans::answer(answer, height));
            }
        };
        let receipt = wire::first_receipt(&answered.encoded);
        let deployed = receipt.as_ref().filter(|receipt| receipt.outcome == Some(v1::Outcome::Ok.into()));
        // A deploy returns the contract's id.
        let contract = deployed.map(|receipt| receipt.return_bytes.clone()).unwrap_or_default();
        let answer = v1::DeployResponse {
            contract,
            position: Some(answered.position.first()),
            receipt,
            acknowledgement,
            repeated: answered.repeated,
            explanation: wire::explanation_of(&mut answered),
            ordered: None,
        };
        Ok(spans::answer(answer, height))
    }

    async fn simulate(&self, request: Request<v1::SimulateRequest>) -> Result<Response<v1::SimulateResponse>, Status> {
        let principal = self.shared.access.check(&request, Role::Read)?;
        let request = request.into_inner();
        // The service takes in larger messages, of calls that are to be ordered.
        let bytes = request.encoded_len();
        if bytes > QUESTION_BYTES_MAX {
            return Err(Refusal::limit("call", "question_bytes", bytes as u64, QUESTION_BYTES_MAX as u64).into());
        }
        Ok(Response::new(try_out(self, &principal, request.call, request.height, Wanted::Effects).await?))
    }
}

async fn submit_single(
    node: &Node,
    principal: &Principal,
    call: Option<v1::Call>,
    level: Level,
    deadline: Option<std::time::Instant>,
) -> Result<Reached, Refusal> {
    let sender = call.as_ref().map(|call| call.sender.clone()).unwrap_or_default();
    let (calls, id) = Calls::single(call)?;
    principal.check_calls(&calls)?;
    let calls = node.check_signatures(calls).await?;
    let known = match id {
        None => Known::Unknown,
        Some(id) => {
            let sender = wire::address("call.sender", &sender)?;
            Known::Id { sender, id, fingerprint: calls.fingerprint() }
        }
    };
    let admitted = node.admit(calls, known, level, deadline).await?;
    node.answer(admitted).await
}

/// What a submission of a session is known by.
pub(super) fn in_session(principal: &Principal, session: &[u8; 16], sequence: u64, calls: &Calls) -> Known {
    let position = SessionPosition { session: principal.session(session), sequence };
    Known::Session { position, fingerprint: calls.fingerprint() }
}

/// Executes a call on the state of a height, commits nothing, and answers when the state is durable.
pub(super) async fn try_out(
    node: &Node,
    principal: &Principal,
    call: Option<v1::Call>,
    height: Option<u64>,
    wanted: Wanted,
) -> Result<v1::SimulateResponse, Refusal> {
    let called = call.as_ref().map(|call| call.contract.clone()).unwrap_or_default();
    let (calls, _) = Calls::single(call)?;
    let called = wire::address("call.contract", &called)?;
    if calls.reach_system() {
        return Err(Refusal::malformed("call.contract", "deploys and upgrades cannot be simulated"));
    }
    principal.check_question(&calls)?;
    node.try_out(calls, called, height, wanted).await
}
