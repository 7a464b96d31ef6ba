//! The rust-rdkafka client of the interop suite (the crate rdkafka over its bundled librdkafka): reads one JSON command
//! per line from standard input, answers one JSON line on standard output, until the input ends. Bytes are base64
//! strings; null and empty stay distinct.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use serde_json::{json, Value};

type Answer = Result<Value, Box<dyn Error>>;

const CONSUME_DEADLINE: Duration = Duration::from_secs(20);
const CALL_DEADLINE: Duration = Duration::from_secs(60);

fn main() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        let answer = answer(&line).unwrap_or_else(|error| json!({"error": error.to_string()}));
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
        line.clear();
    }
    Ok(())
}

fn answer(line: &str) -> Answer {
    let command: Value = serde_json::from_str(line)?;
    match text(&command, "op")? {
        "features" => Ok(features()),
        "create" => create(&command),
        "produce" => produce(&command),
        "consume" => consume(&command),
        "group" => group(&command),
        "transact" => transact(&command),
        other => Err(format!("unknown op: {other}").into()),
    }
}

// No limits: the record format and every codec are complete in librdkafka.
fn features() -> Value {
    json!({
        "codecs": ["none", "gzip", "snappy", "lz4", "zstd"],
        "idempotent": true,
        "null_header_values": true,
        "from_time": true,
        "client": "rust-rdkafka",
        "version": format!("0.39.0 (librdkafka {})", rdkafka::util::get_rdkafka_version().1),
    })
}

fn text<'a>(command: &'a Value, name: &str) -> Result<&'a str, Box<dyn Error>> {
    command[name].as_str().ok_or_else(|| format!("{name} is missing").into())
}

fn number(command: &Value, name: &str) -> Result<i64, Box<dyn Error>> {
    command[name].as_i64().ok_or_else(|| format!("{name} is missing").into())
}

fn bytes(value: &Value) -> Result<Option<Vec<u8>>, Box<dyn Error>> {
    match value {
        Value::Null => Ok(None),
        Value::String(encoded) => Ok(Some(STANDARD.decode(encoded)?)),
        other => Err(format!("neither base64 nor null: {other}").into()),
    }
}

fn encoded(data: Option<&[u8]>) -> Value {
    data.map_or(Value::Null, |data| Value::String(STANDARD.encode(data)))
}

fn config(command: &Value) -> Result<ClientConfig, Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", text(command, "bootstrap")?);
    Ok(config)
}

fn create(command: &Value) -> Answer {
    let admin: AdminClient<DefaultClientContext> = config(command)?.create()?;
    let topic = NewTopic::new(text(command, "topic")?, number(command, "partitions")? as i32, TopicReplication::Fixed(1));
    let options = AdminOptions::new().request_timeout(Some(CALL_DEADLINE));
    for result in futures_executor::block_on(admin.create_topics([&topic], &options))? {
        result.map_err(|(_, code)| code)?;
    }
    Ok(json!({"ok": true}))
}

/// Where the delivery reports land: the offset, or the error, of each record by its place in the command.
struct Deliveries(RefCell<Vec<Option<Result<i64, KafkaError>>>>);

// Reports are only delivered inside poll and flush, which this program calls from its one thread.
unsafe impl Sync for Deliveries {}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        self.0.borrow_mut()[index] = Some(match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        });
    }
}

fn produce(command: &Value) -> Answer {
    let topic = text(command, "topic")?;
    let partition = number(command, "partition")? as i32;
    let records = command["records"].as_array().ok_or("records is missing")?;
    let deliveries = Deliveries(RefCell::new(vec![None; records.len()]));
    let producer: BaseProducer<Deliveries> = config(command)?
        .set("acks", "all")
        .set("compression.codec", text(command, "codec")?)
        .set("enable.idempotence", command["idempotent"].as_bool().unwrap_or(false).to_string())
        .set("message.max.bytes", (16 << 20).to_string()) // the broker is to decide what is too large
        .set("message.timeout.ms", CALL_DEADLINE.as_millis().to_string())
        .create_with_context(deliveries)?;
    for (index, record) in records.iter().enumerate() {
        let (key, value) = (bytes(&record["key"])?, bytes(&record["value"])?);
        let mut message: BaseRecord<'_, [u8], [u8], usize> = BaseRecord::with_opaque_to(topic, index).partition(partition);
        message.key = key.as_deref();
        message.payload = value.as_deref();
        message.timestamp = record["timestamp"].as_i64();
        if let Some(pairs) = record["headers"].as_array() {
            let mut headers = OwnedHeaders::new_with_capacity(pairs.len());
            for pair in pairs {
                let value = bytes(&pair[1])?;
                headers = headers.insert(Header { key: pair[0].as_str().ok_or("a header without a name")?, value: value.as_ref() });
            }
            message = message.headers(headers);
        }
        producer.send(message).map_err(|(error, _)| error)?;
    }
    producer.flush(CALL_DEADLINE)?;
    let deliveries = producer.context().0.borrow();
    let mut offsets = Vec::with_capacity(records.len());
    for delivery in deliveries.iter() {
        offsets.push(delivery.clone().ok_or("a record without a delivery report")??);
    }
    Ok(json!({"offsets": offsets}))
}

fn consume(command: &Value) -> Answer {
    let topic = text(command, "topic")?;
    let partition = number(command, "partition")? as i32;
    let count = number(command, "count")? as usize;
    let deadline = Instant::now() + CONSUME_DEADLINE;
    let consumer: BaseConsumer = config(command)?
        .set("group.id", "interop") // librdkafka asks for one even when partitions are assigned by hand
        .set("enable.auto.commit", "false")
        .set("isolation.level", if command["committed"] == true { "read_committed" } else { "read_uncommitted" })
        .set("auto.offset.reset", "error") // an offset out of range is to be seen
        .create()?;
    let mut assignment = TopicPartitionList::new();
    let from = &command["from"];
    if let Some(time_ms) = from["time"].as_i64() {
        assignment.add_partition_offset(topic, partition, Offset::Offset(time_ms))?;
        assignment = consumer.offsets_for_times(assignment, CONSUME_DEADLINE)?;
        for element in assignment.elements() {
            element.error()?;
        }
    } else if let Some(offset) = from["offset"].as_i64() {
        assignment.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    } else if from == "start" {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    } else {
        return Err(format!("unknown place to consume from: {from}").into());
    }
    consumer.assign(&assignment)?;
    let mut records = Vec::new();
    while records.len() < count {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match consumer.poll(left.min(Duration::from_millis(500))) {
            None => {}
            // A topic that was created a moment ago; librdkafka goes on asking.
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownTopicOrPartition))) => {}
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(message)) => {
                let headers: Vec<Value> = message
                    .headers()
                    .map(|headers| headers.iter().map(|header| json!([header.key, encoded(header.value)])).collect())
                    .unwrap_or_default();
                records.push(json!({
                    "offset": message.offset(),
                    "key": encoded(message.key()),
                    "value": encoded(message.payload()),
                    "headers": headers,
                    "timestamp": message.timestamp().to_millis(),
                }));
            }
        }
    }
    Ok(json!({"records": records}))
}

/// The thread of a ThreadedProducer serves the events without which librdkafka does not end a transaction.
type Transactional = ThreadedProducer<DefaultProducerContext>;

fn transactional(command: &Value) -> Result<Transactional, Box<dyn Error>> {
    let producer: Transactional = config(command)?.set("transactional.id", text(command, "transactional_id")?).create()?;
    producer.init_transactions(CONSUME_DEADLINE)?;
    Ok(producer)
}

fn transact(command: &Value) -> Answer {
    let topic = text(command, "topic")?;
    let producer = transactional(command)?;
    let mut outcomes = Vec::new();
    for step in command["steps"].as_array().ok_or("steps is missing")? {
        producer.begin_transaction()?;
        if step["group"].is_string() {
            transform(command, step, &producer)?;
        } else {
            for value in step["values"].as_array().ok_or("values is missing")? {
                write(&producer, topic, bytes(value)?.as_deref())?;
            }
        }
        producer.flush(CONSUME_DEADLINE)?;
        let fence = step["fence"] == true;
        if fence {
            drop(transactional(command)?);
        }
        let commit = step["commit"] == true;
        let ended = if commit { producer.commit_transaction(CONSUME_DEADLINE) } else { producer.abort_transaction(CONSUME_DEADLINE) };
        outcomes.push(match ended {
            Ok(()) => String::from(if commit { "committed" } else { "aborted" }),
            Err(error) if fence => format!("fenced: {error}"),
            Err(error) => return Err(error.into()),
        });
    }
    Ok(json!({"outcomes": outcomes}))
}

fn write(producer: &Transactional, topic: &str, value: Option<&[u8]>) -> Result<(), Box<dyn Error>> {
    let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(0);
    message.payload = value;
    Ok(producer.send(message).map_err(|(error, _)| error)?)
}

/// Writes what a member of the group reads, and its offsets, into the transaction.
fn transform(command: &Value, step: &Value, producer: &Transactional) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    let mut settings = config(command)?;
    settings.set("group.id", text(step, "group")?).set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = settings.create()?;
    consumer.subscribe(&[text(step, "from")?])?;
    let mut left = number(step, "count")?;
    while left > 0 && begin.elapsed() < CONSUME_DEADLINE {
        let Some(message) = consumer.poll(Duration::from_millis(100)).transpose()? else { continue };
        write(producer, text(command, "topic")?, message.payload())?;
        left -= 1;
    }
    let group = consumer.group_metadata().ok_or("no metadata of the group")?;
    let next = consumer.position()?; // a temporary would outlive the consumer, which cannot be closed before it is gone
    producer.send_offsets_to_transaction(&next, &group, CONSUME_DEADLINE)?;
    Ok(())
}

/// (topic, partition) -> the offset after the last record read.
type Next = BTreeMap<(String, i32), Offset>;

fn commit(consumer: &BaseConsumer, next: &Next) -> Result<(), Box<dyn Error>> {
    let mut offsets = TopicPartitionList::new();
    for ((topic, partition), offset) in next {
        offsets.add_partition_offset(topic, *partition, *offset)?;
    }
    Ok(consumer.commit(&offsets, CommitMode::Sync)?)
}

fn perform(act: &Value, topics: &[&str], consumer: &BaseConsumer, next: &Next) -> Result<(), Box<dyn Error>> {
    let mut partition = TopicPartitionList::new();
    if let Some(number) = act["partition"].as_i64() {
        partition.add_partition(topics[0], number as i32);
    }
    match act["do"].as_str() {
        Some("pause") => consumer.pause(&partition)?,
        Some("resume") => consumer.resume(&partition)?,
        Some("seek") => {
            let (number, offset) = (number(act, "partition")? as i32, Offset::Offset(number(act, "offset")?));
            consumer.seek(topics[0], number, offset, CONSUME_DEADLINE)?;
        }
        Some("commit") => commit(consumer, next)?,
        _ => {}
    }
    if let Some(file) = act["touch"].as_str() {
        File::create_new(file)?;
    }
    Ok(())
}

fn group(command: &Value) -> Answer {
    let count = number(command, "count")? as usize;
    let topics: Vec<&str> = match command["pattern"].as_str() {
        Some(pattern) => vec![pattern], // one that begins with ^ is a pattern
        None => command["topics"].as_array().ok_or("topics is missing")?.iter().filter_map(Value::as_str).collect(),
    };
    let begin = Instant::now();
    let end = begin + command["seconds"].as_u64().map_or(CONSUME_DEADLINE, Duration::from_secs);
    let mut acts: VecDeque<&Value> = command["acts"].as_array().into_iter().flatten().collect();
    let mut settings = config(command)?;
    settings.set("group.id", text(command, "group")?).set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
    for (name, value) in command["protocol_options"].as_object().into_iter().flatten() {
        // The name of the other one there: when metadata are asked for again, not when they are too old.
        let name = if name == "metadata.max.age.ms" { "topic.metadata.refresh.interval.ms" } else { name };
        settings.set(name, value.as_str().map_or_else(|| value.to_string(), str::to_string));
    }
    let consumer: BaseConsumer = settings.create()?;
    consumer.subscribe(&topics)?;
    let mut records = Vec::new();
    let mut first_ms = None;
    let mut next = BTreeMap::new();
    while records.len() < count && Instant::now() < end {
        let message = match consumer.poll(Duration::from_millis(100)) {
            None => continue,
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownTopicOrPartition))) => continue, // a topic was deleted
            Some(polled) => polled?,
        };
        first_ms.get_or_insert(begin.elapsed().as_millis() as u64);
        next.insert((message.topic().to_string(), message.partition()), Offset::Offset(message.offset() + 1));
        records.push(json!({
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
            "key": encoded(message.key()),
            "value": encoded(message.payload()),
        }));
        while acts.front().is_some_and(|act| act["after"].as_u64().is_some_and(|after| after as usize <= records.len())) {
            acts.pop_front().map_or(Ok(()), |act| perform(act, &topics, &consumer, &next))?;
        }
    }
    if command["commit"] == true && !next.is_empty() {
        commit(&consumer, &next)?;
    }
    let stay = command["stay"].as_str().map(Path::new);
    while stay.is_some_and(|file| !file.exists()) && Instant::now() < end {
        sleep(Duration::from_millis(50));
    }
    drop(consumer); // leaves the group
    Ok(json!({"records": records, "first_ms": first_ms}))
}
