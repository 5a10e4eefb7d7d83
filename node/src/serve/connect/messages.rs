//! Messages between JSON and the bytes of gRPC, by their descriptors.

use axum::body::Bytes;
use phalanx_proto::Message;
use prost_reflect::{
    DescriptorError, DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, MethodDescriptor,
    SerializeOptions,
};
use serde_json::{Deserializer, Serializer, Value};
use std::collections::HashMap;
use tonic::Status;

use super::super::refusal::Refusal;

/// Objects of a JSON request: a batch of the most calls, and what is around them. An empty one takes two bytes, and a hundred
/// times as much in memory.
pub(in crate::serve) const JSON_OBJECTS_MAX: usize = 65_536 + 64;
/// What gRPC puts before a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// All methods and messages.
pub(super) struct Messages {
    pool: DescriptorPool,
    /// By their paths.
    methods: HashMap<String, MethodDescriptor>,
}

/// A unary method.
#[derive(Clone)]
pub(super) struct Unary(MethodDescriptor);

/// The body of a gRPC answer.
pub(super) struct Translated(Bytes);

impl Messages {
    pub(super) fn new() -> Result<Messages, DescriptorError> {
        let mut pool = DescriptorPool::decode(phalanx_proto::FILE_DESCRIPTOR_SET)?;
        let services = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let path = |method: &MethodDescriptor| format!("/{}/{}", method.parent_service().full_name(), method.name());
        let methods = services.map(|method| (path(&method), method)).collect();
        // The details of errors.
        pool.decode_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)?;
        Ok(Messages { pool, methods })
    }

    /// The unary method of a path.
    pub(super) fn method(&self, path: &str) -> Result<Unary, Status> {
        let method = self.methods.get(path);
        let method = method.ok_or_else(|| Status::unimplemented(format!("there is no method {path}")))?;
        match method.is_client_streaming() || method.is_server_streaming() {
            false => Ok(Unary(method.clone())),
            true => Err(Status::unimplemented(format!("{path} is a stream, which goes by gRPC alone"))),
        }
    }

    /// A message of a type that is known, as JSON.
    pub(super) fn known(&self, full_name: &str, bytes: &[u8]) -> Option<Value> {
        let message = DynamicMessage::decode(self.pool.get_message_by_name(full_name)?, bytes).ok()?;
        serde_json::to_value(message).ok()
    }
}

impl Translated {
    pub(super) fn new(body: Bytes) -> Translated {
        Translated(body)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Unary {
    /// Makes of a JSON request the body of a gRPC request.
    pub(super) fn to_grpc(&self, json: &[u8]) -> Result<Vec<u8>, Refusal> {
        let objects = json.iter().filter(|byte| **byte == b'{').count();
        if objects > JSON_OBJECTS_MAX {
            return Err(Refusal::limit("body", "json_objects", objects as u64, JSON_OBJECTS_MAX as u64));
        }
        // What is misspelt would be missing without a word.
        let options = DeserializeOptions::new().deny_unknown_fields(true);
        let mut deserializer = Deserializer::from_slice(json);
        let message = DynamicMessage::deserialize_with_options(self.0.input(), &mut deserializer, &options)
            .and_then(|message| deserializer.end().map(|()| message))
            .map_err(|error| Refusal::malformed("body", error))?;
        let length = message.encoded_len();
        let mut framed = Vec::with_capacity(PREFIX_BYTES + length);
        framed.push(0);
        // JSON has more bytes than what it says, and is bounded far below 4 GiB.
        framed.extend_from_slice(&(length as u32).to_be_bytes());
        framed.extend_from_slice(&message.encode_to_vec());
        Ok(framed)
    }

    /// Makes JSON of the body of a gRPC answer.
    pub(super) fn to_json(&self, Translated(framed): &Translated) -> Result<String, Refusal> {
        let message = framed.get(PREFIX_BYTES..).and_then(|bytes| decode(self.0.output(), bytes));
        let message = message.ok_or_else(Refusal::stopped)?;
        let mut json = Vec::new();
        let serialized = message.serialize_with_options(&mut Serializer::new(&mut json), &SerializeOptions::new());
        serialized.ok().and_then(|()| String::from_utf8(json).ok()).ok_or_else(Refusal::stopped)
    }
}

fn decode(descriptor: MessageDescriptor, bytes: &[u8]) -> Option<DynamicMessage> {
    DynamicMessage::decode(descriptor, bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_proto::v1;

    #[test]
    fn a_request_is_the_one_that_grpc_has() {
        let messages = Messages::new().expect("the descriptors fit together");
        let method = messages.method("/phalanx.v1.ExecutionService/Submit").expect("it is unary");
        let json = br#"{"call": {"contract": "AQI=", "method": "mint", "gasLimit": "5", "id": ""},
            "acknowledgement": "ACKNOWLEDGEMENT_EXECUTED"}"#;
        let framed = method.to_grpc(json).expect("it is well formed");
        let call = v1::Call {
            contract: vec![1, 2].into(),
            method: "mint".to_owned(),
            gas_limit: 5,
            id: Some(Vec::new().into()),
            ..v1::Call::default()
        };
        let acknowledgement = v1::Acknowledgement::Executed.into();
        let expected = v1::SubmitRequest { call: Some(call), acknowledgement };
        assert_eq!(v1::SubmitRequest::decode(&framed[PREFIX_BYTES..]), Ok(expected));
        assert_eq!(framed[..PREFIX_BYTES], [0, 0, 0, 0, framed.len() as u8 - 5]);
    }

    #[test]
    fn what_is_misspelt_or_too_much_is_refused() {
        let messages = Messages::new().expect("the descriptors fit together");
        let method = messages.method("/phalanx.v1.ExecutionService/SubmitBatch").expect("it is unary");
        for json in [&br#"{"cals": {}}"#[..], b"{} {}", b"", br#"{"list": {"calls": [{"gasLimit": -1}]}}"#] {
            assert!(method.to_grpc(json).is_err(), "{}", String::from_utf8_lossy(json));
        }
        let many = |calls: usize| format!(r#"{{"list": {{"calls": [{}]}}}}"#, vec!["{}"; calls].join(","));
        assert!(method.to_grpc(many(JSON_OBJECTS_MAX - 2).as_bytes()).is_ok());
        assert!(method.to_grpc(many(JSON_OBJECTS_MAX - 1).as_bytes()).is_err());
        assert!(messages.method("/phalanx.v1.ExecutionService/SubmitStream").is_err());
        assert!(messages.method("/phalanx.v1.ExecutionService/Nothing").is_err());
    }
}
