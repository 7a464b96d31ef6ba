import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/** kafka-clients as an interop client (see ../README.md). */
public final class LineClient {
    private static final int DEADLINE_MS = 20_000;
    private static final int MIB = 1 << 20;
    private static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
        .streamReadConstraints(StreamReadConstraints.builder().maxStringLength(Integer.MAX_VALUE).build()).build());

    private static final Map<String, String> ASSIGNORS = Map.of(
        "range", "org.apache.kafka.clients.consumer.RangeAssignor",
        "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        "sticky", "org.apache.kafka.clients.consumer.StickyAssignor",
        "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

    private LineClient() { }

    private static byte[] bytes(JsonNode text) {
        return text.isNull() ? null : Base64.getDecoder().decode(text.textValue());
    }

    private static ObjectNode create(JsonNode command) throws Exception {
        Map<String, Object> settings = Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, command.get("bootstrap").textValue());
        try (Admin admin = Admin.create(settings)) {
            NewTopic topic = new NewTopic(command.get("topic").textValue(), command.get("partitions").intValue(), (short) 1);
            admin.createTopics(List.of(topic)).all().get(DEADLINE_MS, TimeUnit.MILLISECONDS);
        }
        return JSON.createObjectNode().put("ok", true);
    }

    private static ObjectNode produce(JsonNode command) throws Exception {
        Map<String, Object> settings = Map.of(
            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, command.get("bootstrap").textValue(),
            ProducerConfig.COMPRESSION_TYPE_CONFIG, command.get("codec").textValue(),
            ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, command.get("idempotent").booleanValue(),
            ProducerConfig.ACKS_CONFIG, "all",
            ProducerConfig.BATCH_SIZE_CONFIG, MIB,
            ProducerConfig.LINGER_MS_CONFIG, 50,
            ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, DEADLINE_MS / 2,
            ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, DEADLINE_MS,
            ProducerConfig.MAX_BLOCK_MS_CONFIG, DEADLINE_MS);
        ObjectNode answer = JSON.createObjectNode();
        ArrayNode offsets = answer.putArray("offsets");
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (JsonNode record : command.get("records")) {
                List<Header> headers = new ArrayList<>();
                for (JsonNode header : record.get("headers")) headers.add(new RecordHeader(header.get(0).textValue(), bytes(header.get(1))));
                sent.add(producer.send(new ProducerRecord<>(command.get("topic").textValue(), command.get("partition").intValue(),
                    record.get("timestamp").longValue(), bytes(record.get("key")), bytes(record.get("value")), headers)));
            }
            for (Future<RecordMetadata> each : sent) offsets.add(each.get().offset());
        }
        return answer;
    }

    private static ObjectNode consume(JsonNode command) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(DEADLINE_MS);
        Map<String, Object> settings = Map.of(
            ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, command.get("bootstrap").textValue(),
            ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, DEADLINE_MS,
            ConsumerConfig.ISOLATION_LEVEL_CONFIG, command.path("committed").booleanValue() ? "read_committed" : "read_uncommitted",
            ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
        TopicPartition partition = new TopicPartition(command.get("topic").textValue(), command.get("partition").intValue());
        JsonNode from = command.get("from");
        int count = command.get("count").intValue();
        ObjectNode answer = JSON.createObjectNode();
        ArrayNode records = answer.putArray("records");
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(List.of(partition));
            if (from.isTextual()) {
                consumer.seekToBeginning(List.of(partition));
            } else if (from.has("offset")) {
                consumer.seek(partition, from.get("offset").longValue());
            } else {
                OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, from.get("time").longValue())).get(partition);
                if (found == null) consumer.seekToEnd(List.of(partition)); // no record is as young
                else consumer.seek(partition, found.offset());
            }
            while (records.size() < count && System.nanoTime() < deadline) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    if (records.size() == count) break;
                    ObjectNode out = records.addObject().put("offset", record.offset()).put("key", record.key())
                        .put("value", record.value()).put("timestamp", record.timestamp());
                    ArrayNode headers = out.putArray("headers");
                    for (Header header : record.headers()) headers.addArray().add(header.key()).add(header.value());
                }
            }
        }
        return answer;
    }

    private static ObjectNode group(JsonNode command) throws Exception {
        long begin = System.nanoTime();
        Map<String, Object> settings = new HashMap<>(Map.of(
            ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, command.get("bootstrap").textValue(),
            ConsumerConfig.GROUP_ID_CONFIG, command.get("group").textValue(),
            ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false,
            ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest"));
        for (Map.Entry<String, JsonNode> option : command.path("protocol_options").properties()) {
            String value = option.getValue().asText();
            settings.put(option.getKey(), ASSIGNORS.getOrDefault(value, value));
        }
        List<String> topics = new ArrayList<>();
        command.path("topics").forEach(topic -> topics.add(topic.textValue()));
        int count = command.get("count").intValue();
        long end = begin + TimeUnit.SECONDS.toNanos(command.path("seconds").asLong(DEADLINE_MS / 1000));
        Deque<JsonNode> acts = new ArrayDeque<>();
        command.path("acts").forEach(acts::add);
        ObjectNode answer = JSON.createObjectNode();
        ArrayNode records = answer.putArray("records");
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            if (!command.has("pattern")) consumer.subscribe(topics);
            else if ("consumer".equals(settings.get(ConsumerConfig.GROUP_PROTOCOL_CONFIG)))
                consumer.subscribe(new SubscriptionPattern(command.get("pattern").textValue())); // the broker matches
            else consumer.subscribe(Pattern.compile(command.get("pattern").textValue()));
            while (records.size() < count && System.nanoTime() - end < 0) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    if (records.isEmpty()) answer.put("first_ms", (System.nanoTime() - begin) / 1_000_000);
                    if (records.size() == count) break;
                    records.addObject().put("topic", record.topic()).put("partition", record.partition()).put("offset", record.offset())
                        .put("key", record.key()).put("value", record.value());
                    next.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
                while (!acts.isEmpty() && records.size() >= acts.peek().get("after").intValue()) perform(acts.pop(), topics, consumer, next);
            }
            if (command.get("commit").booleanValue()) consumer.commitSync(next);
            Path stay = command.has("stay") ? Path.of(command.get("stay").textValue()) : null;
            while (stay != null && !Files.exists(stay) && System.nanoTime() - end < 0) {
                Thread.sleep(50);
            }
        }
        return answer;
    }

    private static void perform(JsonNode act, List<String> topics, KafkaConsumer<byte[], byte[]> consumer,
            Map<TopicPartition, OffsetAndMetadata> next) throws Exception {
        TopicPartition partition = act.has("partition") ? new TopicPartition(topics.get(0), act.get("partition").intValue()) : null;
        switch (act.path("do").asText("")) {
            case "pause" -> consumer.pause(List.of(partition));
            case "resume" -> consumer.resume(List.of(partition));
            case "seek" -> consumer.seek(partition, act.get("offset").longValue());
            case "commit" -> consumer.commitSync(next);
            default -> { }
        }
        if (act.has("touch")) Files.createFile(Path.of(act.get("touch").textValue()));
    }

    private static KafkaProducer<byte[], byte[]> transactional(JsonNode command) {
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(Map.of(
            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, command.get("bootstrap").textValue(),
            ProducerConfig.MAX_BLOCK_MS_CONFIG, DEADLINE_MS,
            ProducerConfig.TRANSACTIONAL_ID_CONFIG, command.get("transactional_id").textValue()), new ByteArraySerializer(), new ByteArraySerializer());
        producer.initTransactions();
        return producer;
    }

    private static ObjectNode transact(JsonNode command) {
        ObjectNode answer = JSON.createObjectNode();
        ArrayNode outcomes = answer.putArray("outcomes");
        String topic = command.get("topic").textValue();
        KafkaProducer<byte[], byte[]> producer = transactional(command);
        try {
            for (JsonNode step : command.get("steps")) {
                boolean commit = step.get("commit").booleanValue();
                boolean fence = step.path("fence").booleanValue();
                producer.beginTransaction();
                if (step.has("group")) transform(command, step, producer);
                else for (JsonNode value : step.get("values")) producer.send(new ProducerRecord<>(topic, 0, null, bytes(value)));
                producer.flush();
                if (fence) transactional(command).close();
                try {
                    if (commit) producer.commitTransaction();
                    else producer.abortTransaction();
                    outcomes.add(commit ? "committed" : "aborted");
                } catch (KafkaException error) {
                    if (!fence) throw error;
                    outcomes.add("fenced: " + error.getClass().getSimpleName());
                }
            }
        } finally {
            producer.close(Duration.ZERO);
        }
        return answer;
    }

    /** Write what a member of the group reads, and its offsets, into the transaction. */
    private static void transform(JsonNode command, JsonNode step, KafkaProducer<byte[], byte[]> producer) {
        long begin = System.nanoTime();
        Map<String, Object> settings = Map.of(
            ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, command.get("bootstrap").textValue(),
            ConsumerConfig.GROUP_ID_CONFIG, step.get("group").textValue(),
            ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false,
            ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        int left = step.get("count").intValue();
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(step.get("from").textValue()));
            while (left > 0 && System.nanoTime() - begin < TimeUnit.MILLISECONDS.toNanos(DEADLINE_MS)) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    if (left-- <= 0) break;
                    producer.send(new ProducerRecord<>(command.get("topic").textValue(), 0, null, record.value()));
                    next.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
            }
            producer.sendOffsetsToTransaction(next, consumer.groupMetadata());
        }
    }

    private static ObjectNode features() {
        ObjectNode answer = JSON.createObjectNode().put("client", "java").put("version", AppInfoParser.getVersion());
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) answer.withArray("codecs").add(codec);
        return answer.put("idempotent", true).put("null_header_values", true).put("from_time", true);
    }

    private static ObjectNode answer(String line) {
        try {
            JsonNode command = JSON.readTree(line);
            String op = command.get("op").textValue();
            return switch (op) {
                case "create" -> create(command);
                case "produce" -> produce(command);
                case "consume" -> consume(command);
                case "group" -> group(command);
                case "transact" -> transact(command);
                case "features" -> features();
                default -> throw new IllegalArgumentException("no command " + op);
            };
        } catch (Exception error) {
            error.printStackTrace();
            return JSON.createObjectNode().put("error", error.toString());
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
        System.setOut(System.err);
        for (String line; (line = in.readLine()) != null; ) {
            out.println(JSON.writeValueAsString(answer(line)));
            out.flush();
        }
    }
}
