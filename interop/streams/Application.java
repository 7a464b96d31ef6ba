import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;

/**
 * A Kafka Streams application with exactly_once_v2: Application TOPOLOGY BOOTSTRAP APPLICATION_ID STATE_DIR. Runs until it is killed.
 * Each input record takes a millisecond, so that there is a middle in which to kill it.
 */
public final class Application {
    private Application() { }

    private static void slowly() {
        try {
            Thread.sleep(1);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    /** lines -> counts: word -> how often so far, one output for each word of the input; a repartition topic and a store with its changelog. */
    private static void wordCount(StreamsBuilder builder, String id) {
        builder.<String, String>stream(id + "-lines")
            .peek((key, line) -> slowly())
            .flatMapValues(line -> Arrays.asList(line.toLowerCase(Locale.ROOT).split(" ")))
            .groupBy((key, word) -> word)
            .count()
            .toStream()
            .mapValues(count -> Long.toString(count))
            .to(id + "-counts");
    }

    /** clicks (value: user page) joined with users (user -> country), by user: a repartition topic on the one side, a table on the other. */
    private static void join(StreamsBuilder builder, String id) {
        KTable<String, String> users = builder.table(id + "-users");
        KStream<String, String> clicks = builder.stream(id + "-clicks");
        clicks.peek((key, click) -> slowly())
            .selectKey((key, click) -> click.split(" ")[0])
            .leftJoin(users, (click, country) -> click + " " + country)
            .to(id + "-joined");
    }

    public static void main(String[] args) throws InterruptedException {
        String id = args[2];
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[1]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, id);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, args[3]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0); // every change comes out
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        settings.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 6000);
        settings.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), 1000);
        settings.put(StreamsConfig.producerPrefix("transaction.timeout.ms"), 5000);

        StreamsBuilder builder = new StreamsBuilder();
        if (args[0].equals("word-count")) wordCount(builder, id);
        else join(builder, id);
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setUncaughtExceptionHandler(problem -> {
            problem.printStackTrace();
            Runtime.getRuntime().halt(1);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        Thread.sleep(Duration.ofHours(1).toMillis());
    }
}
