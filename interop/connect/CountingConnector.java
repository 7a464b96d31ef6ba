import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.source.ExactlyOnceSupport;
import org.apache.kafka.connect.source.SourceConnector;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTask;

/** A source that counts from 1 to `last`, one number a millisecond, and goes on behind the last number whose offset is committed. */
public final class CountingConnector extends SourceConnector {
    private Map<String, String> settings;

    @Override
    public void start(Map<String, String> given) {
        settings = given;
    }

    @Override
    public void stop() { }

    @Override
    public Class<? extends Task> taskClass() {
        return Counting.class;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int most) {
        return List.of(settings);
    }

    @Override
    public ExactlyOnceSupport exactlyOnceSupport(Map<String, String> given) {
        return ExactlyOnceSupport.SUPPORTED;
    }

    @Override
    public ConfigDef config() {
        return new ConfigDef()
            .define("topic", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "Where the numbers go.")
            .define("last", ConfigDef.Type.INT, ConfigDef.Importance.HIGH, "The last number.");
    }

    @Override
    public String version() {
        return "1";
    }

    /** The one task. */
    public static final class Counting extends SourceTask {
        private static final Map<String, String> PARTITION = Map.of("numbers", "all");
        private static final int BATCH = 20;
        private String topic;
        private int last;
        private int done;

        @Override
        public void start(Map<String, String> settings) {
            topic = settings.get("topic");
            last = Integer.parseInt(settings.get("last"));
            Map<String, Object> offset = context.offsetStorageReader().offset(PARTITION);
            done = offset == null ? 0 : ((Number) offset.get("done")).intValue();
        }

        @Override
        public List<SourceRecord> poll() throws InterruptedException {
            Thread.sleep(BATCH);
            List<SourceRecord> records = new ArrayList<>();
            while (done < last && records.size() < BATCH) {
                done++;
                records.add(new SourceRecord(PARTITION, Map.of("done", done), topic, 0, Schema.STRING_SCHEMA, Integer.toString(done)));
            }
            return records.isEmpty() ? null : records;
        }

        @Override
        public void stop() { }

        @Override
        public String version() {
            return "1";
        }
    }
}
