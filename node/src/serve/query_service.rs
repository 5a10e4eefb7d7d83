//! `phalanx.v1.QueryService`.

use phalanx_engine::PROTOCOL_VERSION;
use phalanx_engine::limits::KEY_BYTES_MAX;
use phalanx_proto::v1;
use phalanx_proto::v1::get_receipt_request::Call as Asked;
use phalanx_proto::v1::query_service_server::QueryService;
use tonic::{Request, Response, Status};

use super::access::Role;
use super::catalog::Contract;
use super::execution_service::try_out;
use super::history::{self, Messages};
use super::limits;
use super::node::Node;
use super::questions::Wanted;
use super::refusal::Refusal;
use super::submission::Position;
use super::wire;
use crate::abi;
use crate::hex::hex;

/// Keys of one question.
pub(crate) const STATE_KEYS_MAX: usize = 256;
/// Bytes of the values that one question is answered with. Most clients take in no message above 4 MiB.
pub(crate) const STATE_BYTES_MAX: usize = 3 << 20;
/// Contracts of a page.
pub(crate) const PAGE_CONTRACTS_MAX: usize = 1_000;
const PAGE_CONTRACTS_DEFAULT: usize = 100;

#[tonic::async_trait]
impl QueryService for Node {
    async fn get_server_info(
        &self,
        request: Request<v1::GetServerInfoRequest>,
    ) -> Result<Response<v1::GetServerInfoResponse>, Status> {
        self.shared.access.check(&request, Role::Read)?;
        let question = |between: &super::cutter::Between<'_>| {
            let receipts = between.logged.receipt_heights();
            (
                between.logged.engine().digest(),
                between.once.ids.earliest(),
                receipts.map_or(0, |heights| *heights.start()),
            )
        };
        let ((digest, earliest_id_height, earliest_receipts_height), height) = self.ask_durable(question).await?;
        Ok(Response::new(v1::GetServerInfoResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_version: PROTOCOL_VERSION,
            chain_id: wire::copied(&self.shared.chain_id),
            height,
            digest: wire::copied(&digest),
            // Opening needs the log from its first height, so this is what there is.
            earliest_height: height.min(1),
            earliest_receipts_height,
            limits: limits::all(),
            earliest_id_height,
        }))
    }

    async fn get_receipt(
        &self,
        request: Request<v1::GetReceiptRequest>,
    ) -> Result<Response<v1::GetReceiptResponse>, Status> {
        self.shared.access.check(&request, Role::Read)?;
        let position = match wire::required("call", request.into_inner().call)? {
            Asked::Position(v1::CallPosition { height, index }) => Position { height, index, calls: 1 },
            Asked::Id(id) => position_of(self, &id).await?,
        };
        let Position { height, index, .. } = position;
        let (_, newest) = self.ask(|_| ()).await?;
        if height > newest || height == 0 {
            return Err(no_receipt(format_args!("there is no height {height}, the last is {newest}")).into());
        }
        self.wait_durable(height).await?;
        let encoded = self.receipts(position).await?;
        let receipt = wire::first_receipt(&encoded);
        let receipt = receipt.ok_or_else(|| no_receipt(format_args!("height {height} has no call {index}")))?;
        let position = Some(position.first());
        Ok(Response::new(v1::GetReceiptResponse { position, receipt: Some(receipt) }))
    }

    async fn get_state(&self, request: Request<v1::GetStateRequest>) -> Result<Response<v1::GetStateResponse>, Status> {
        self.shared.access.check(&request, Role::Read)?;
        let v1::GetStateRequest { contract, keys } = request.into_inner();
        let contract = wire::address("contract", &contract)?;
        if keys.len() > STATE_KEYS_MAX {
            return Err(Refusal::limit("keys", "state_keys", keys.len() as u64, STATE_KEYS_MAX as u64).into());
        }
        for (index, key) in keys.iter().enumerate() {
            if key.is_empty() || key.len() > KEY_BYTES_MAX {
                let field = format_args!("keys[{index}]").to_string();
                return Err(Refusal::limit(field, "key_bytes", key.len() as u64, KEY_BYTES_MAX as u64).into());
            }
        }
        let question = move |between: &super::cutter::Between<'_>| {
            let mut bytes = 0;
            let value = |key: &phalanx_proto::Bytes| {
                let value = between.logged.engine().get(&contract, key);
                bytes += value.as_ref().map_or(0, Vec::len);
                match bytes <= STATE_BYTES_MAX {
                    true => Ok(v1::StateValue { value: value.map(Into::into) }),
                    false => Err(Refusal::limit("keys", "state_bytes", bytes as u64, STATE_BYTES_MAX as u64)),
                }
            };
            keys.iter().map(value).collect::<Result<_, _>>()
        };
        let (values, height) = self.ask_durable(question).await?;
        Ok(Response::new(v1::GetStateResponse { height, values: values? }))
    }

    async fn query(&self, request: Request<v1::QueryRequest>) -> Result<Response<v1::QueryResponse>, Status> {
        let principal = self.shared.access.check(&request, Role::Read)?;
        let v1::QueryRequest { call, height } = request.into_inner();
        let answer = try_out(self, &principal, call, height, Wanted::Receipt).await?;
        let v1::SimulateResponse { height, receipt, explanation, .. } = answer;
        Ok(Response::new(v1::QueryResponse { height, receipt, explanation }))
    }

    async fn list_contracts(
        &self,
        request: Request<v1::ListContractsRequest>,
    ) -> Result<Response<v1::ListContractsResponse>, Status> {
        self.shared.access.check(&request, Role::Read)?;
        let v1::ListContractsRequest { page_size, page_token } = request.into_inner();
        let count = match page_size as usize {
            0 => PAGE_CONTRACTS_DEFAULT,
            asked if asked <= PAGE_CONTRACTS_MAX => asked,
            asked => {
                let max = PAGE_CONTRACTS_MAX as u64;
                return Err(Refusal::limit("page_size", "page_contracts", asked as u64, max).into());
            }
        };
        // Contracts are only added behind the last, so a place stays what it is.
        let from = match page_token.is_empty() {
            true => 0,
            false => page_token.parse().map_err(|_| Refusal::malformed("page_token", "none that a page ended with"))?,
        };
        let question = move |between: &super::cutter::Between<'_>| {
            let (contracts, more) = between.catalog.page(from, count);
            let next_page_token = if more { (from + contracts.len()).to_string() } else { String::new() };
            (contracts.iter().map(contract_message).collect(), next_page_token)
        };
        let ((contracts, next_page_token), _) = self.ask_durable(question).await?;
        Ok(Response::new(v1::ListContractsResponse { contracts, next_page_token }))
    }

    async fn get_contract(
        &self,
        request: Request<v1::GetContractRequest>,
    ) -> Result<Response<v1::GetContractResponse>, Status> {
        self.shared.access.check(&request, Role::Read)?;
        let v1::GetContractRequest { contract, include_module } = request.into_inner();
        let id = wire::address("contract", &contract)?;
        // Both at once: an upgrade changes them together.
        let question = move |between: &super::cutter::Between<'_>| {
            between.catalog.get(&id).map(contract_message).zip(between.logged.engine().module(&id))
        };
        let (known, _) = self.ask_durable(question).await?;
        let unknown = || Refusal::not_found("UNKNOWN_CONTRACT", format_args!("no contract has the id {}", hex(&id)));
        let (contract, module) = known.ok_or_else(unknown)?;
        Ok(Response::new(v1::GetContractResponse {
            contract: Some(contract),
            abi: abi::section(&module).map_or_else(String::new, |abi| String::from_utf8_lossy(&abi).into_owned()),
            module: if include_module { module.into() } else { wire::copied(&[]) },
        }))
    }

    type SubscribeStream = Messages;

    async fn subscribe(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        self.shared.access.check(&request, Role::Read)?;
        Ok(Response::new(history::follow(self, request.get_ref())?))
    }
}

fn no_receipt(message: impl std::fmt::Display) -> Refusal {
    Refusal::not_found("NO_RECEIPT", message)
}

async fn position_of(node: &Node, id: &v1::CallId) -> Result<Position, Refusal> {
    let (sender, id) = (wire::address("id.sender", &id.sender)?, wire::fixed("id.id", &id.id)?);
    let (position, _) = node.ask_in_order(move |between| between.once.ids.position(&sender, &id)).await?;
    position.ok_or_else(|| no_receipt("no call of this sender with this id is remembered"))
}

fn contract_message(contract: &Contract) -> v1::Contract {
    v1::Contract {
        contract: wire::copied(&contract.id),
        deployer: wire::copied(&contract.deployer),
        code_hash: wire::copied(&contract.code_hash),
        deployed_height: contract.deployed_height,
        code_height: contract.code_height,
    }
}
