import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InvalidPidMappingException;
import org.apache.kafka.common.errors.InvalidTxnStateException;
import org.apache.kafka.common.errors.OutOfOrderSequenceException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * The writer of worker.py with Kafka's own client, which follows transactions v2 (KIP-890): Writer TASK, a JSON object. Events as in events.py.
 * Ends with 3 when it was fenced.
 */
public final class Writer {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int FENCED = 3;
    private static volatile boolean stopping;

    private final FileOutputStream file;
    private final JsonNode task;
    private final Random chance;
    private final String name;
    private KafkaProducer<String, String> producer;
    private String transaction = "";
    private int number;
    private int records;
    private boolean commitAsked;

    private Writer(JsonNode task) throws IOException {
        this.task = task;
        file = new FileOutputStream(task.get("file").textValue(), true);
        chance = new Random(task.get("seed").textValue().hashCode());
        name = task.get("name").textValue();
    }

    /** The time that Python's monotonic_ns gives too. */
    private static ObjectNode event(String kind) {
        return JSON.createObjectNode().put("event", kind).put("at", System.nanoTime());
    }

    private synchronized void record(ObjectNode event) {
        try {
            file.write((event + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
    }

    private void initialise() {
        Properties settings = new Properties();
        settings.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, task.get("bootstrap").textValue());
        settings.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, task.get("transactional_id").textValue());
        settings.put(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, 10_000);
        settings.put(ProducerConfig.LINGER_MS_CONFIG, 1);
        settings.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 30_000);
        settings.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 30_001);
        settings.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 30_000);
        producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
        long since = System.nanoTime();
        producer.initTransactions();
        record(event("Initialised").put("since", since).put("transactional_id", task.get("transactional_id").textValue()).put("instance", name));
    }

    private void send() {
        List<String> topics = new ArrayList<>();
        task.get("topics").forEach(each -> topics.add(each.textValue()));
        String topic = topics.get(chance.nextInt(topics.size()));
        int partition = chance.nextInt(task.get("partitions").intValue());
        String of = transaction;
        int record = records++;
        record(event("Sent").put("transaction", of).put("record", record).put("topic", topic).put("partition", partition).putNull("source"));
        String value = of + " " + record + " - " + ".".repeat(chance.nextInt(4) == 0 ? 1000 : 0);
        producer.send(new ProducerRecord<>(topic, partition, null, value), (sent, problem) -> {
            if (problem == null) record(event("Acknowledged").put("transaction", of).put("record", record).put("offset", sent.offset()));
        });
    }

    private void end(boolean commit) {
        commitAsked = commit;
        record(event("Ending").put("transaction", transaction).put("commit", commit));
        if (commit) producer.commitTransaction();
        else producer.abortTransaction();
        record(event("Ended").put("transaction", transaction).put("outcome", commit ? "committed" : "aborted"));
    }

    private void write() throws InterruptedException {
        commitAsked = false;
        transaction = name + "/" + ++number;
        records = 0;
        record(event("Began").put("transaction", transaction).put("instance", name).put("number", number));
        producer.beginTransaction();
        try {
            for (int n = 1 + chance.nextInt(20); n > 0; n--) {
                send();
                if (chance.nextInt(50) == 0) {
                    producer.flush();
                    Thread.sleep(chance.nextInt(200));
                }
            }
            if (chance.nextInt(5) == 0) producer.flush();
            end(chance.nextInt(5) != 0);
        } catch (KafkaException problem) {
            if (isFinal(problem)) throw problem;
            end(false);
        }
        Thread.sleep(chance.nextInt(20));
    }

    /** Whether nothing is left to do; behind a time-out it is not known how a transaction ended. */
    private static boolean isFinal(Throwable problem) {
        for (Throwable each = problem; each != null; each = each.getCause()) {
            if (each instanceof ProducerFencedException || each instanceof OutOfOrderSequenceException || each instanceof AuthorizationException
                || each instanceof InvalidPidMappingException || each instanceof InvalidTxnStateException || each instanceof TimeoutException) return true;
        }
        return false;
    }

    public static void main(String[] args) throws Exception {
        Writer writer = new Writer(JSON.readTree(args[0]));
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stopping = true;
            try {
                main.join();
            } catch (InterruptedException problem) {
                Thread.currentThread().interrupt();
            }
        }));
        try {
            writer.initialise();
            while (!stopping) writer.write();
        } catch (KafkaException problem) {
            String outcome = writer.commitAsked ? "unknown" : "aborted";
            if (!writer.transaction.isEmpty()) writer.record(event("Ended").put("transaction", writer.transaction).put("outcome", outcome));
            System.err.println("fenced: " + problem);
            Runtime.getRuntime().halt(FENCED);
        }
    }
}
