import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BinaryNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.record.internal.BaseRecords;
import org.apache.kafka.common.record.internal.MemoryRecords;

/** Line server: Kafka's own message classes between JSON and bytes. README.md beside this file says what goes over the line. */
public final class KafkaCodec {
    private static final ObjectMapper JSON = JsonMapper.builder(JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder().maxStringLength(Integer.MAX_VALUE).build()).build())
        .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
        .disable(JsonWriteFeature.WRITE_NAN_AS_STRINGS)
        .build();
    private static final String TAGS = "_tags";

    /** One class that Kafka's generator made, with the two methods of its JsonConverter. */
    private record Codec(Class<?> type, Method read, Method write) {
        Message fresh() throws ReflectiveOperationException {
            return (Message) type.getDeclaredConstructor().newInstance();
        }
    }

    /** A field that JSON alone cannot carry both ways: nested messages (for their unknown tags) and record sets. */
    private record Part(Field field, String name, boolean records, boolean list) { }

    private final Map<String, Codec> codecs = new TreeMap<>();
    private final Map<Class<?>, List<Part>> parts = new HashMap<>();

    private KafkaCodec(String classPath) throws Exception {
        for (String jar : classPath.split(System.getProperty("path.separator"))) {
            if (!Path.of(jar).getFileName().toString().startsWith("kafka-")) continue;
            try (JarFile file = new JarFile(jar)) {
                for (Iterator<JarEntry> all = file.entries().asIterator(); all.hasNext(); ) {
                    String entry = all.next().getName();
                    if (!entry.endsWith("JsonConverter.class") || entry.contains("$")) continue;
                    String converter = entry.substring(0, entry.length() - ".class".length()).replace('/', '.');
                    add(converter.substring(0, converter.length() - "JsonConverter".length()), converter);
                }
            }
        }
    }

    private void add(String name, String converter) throws Exception {
        Class<?> type = Class.forName(name);
        Class<?> json = Class.forName(converter);
        Codec codec = new Codec(type, json.getMethod("read", JsonNode.class, short.class),
            json.getMethod("write", type, short.class, boolean.class));
        if (codecs.put(type.getSimpleName(), codec) != null) throw new IllegalStateException("two classes named " + name);
    }

    private Codec codec(String name) {
        Codec codec = codecs.get(name);
        if (codec == null) codec = codecs.get(name + "Data");
        if (codec == null) throw new IllegalArgumentException("no message class " + name);
        return codec;
    }

    private List<Part> partsOf(Class<?> type) {
        List<Part> known = parts.get(type);
        if (known != null) return known;
        List<Part> found = new ArrayList<>();
        for (Field field : type.getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers())) continue;
            boolean records = BaseRecords.class.isAssignableFrom(field.getType());
            boolean single = Message.class.isAssignableFrom(field.getType());
            boolean list = !single && Iterable.class.isAssignableFrom(field.getType()) && Message.class.isAssignableFrom(element(field));
            if (!records && !single && !list) continue;
            field.setAccessible(true);
            found.add(new Part(field, field.getName(), records, list));
        }
        parts.put(type, found);
        return found;
    }

    /** The element class of a collection field; Object when it is not a class. */
    private static Class<?> element(Field field) {
        Type generic = field.getGenericType();
        if (!(generic instanceof ParameterizedType)) generic = field.getType().getGenericSuperclass(); // XxxCollection
        if (generic instanceof ParameterizedType p && p.getActualTypeArguments()[0] instanceof Class<?> c) return c;
        return Object.class;
    }

    /** Puts the "_tags" of the JSON into the message, at every depth. */
    private void tagsIn(Message message, JsonNode node) throws IllegalAccessException {
        JsonNode tags = node.get(TAGS);
        if (tags != null) {
            TreeMap<Integer, byte[]> sorted = new TreeMap<>();
            for (Map.Entry<String, JsonNode> tag : tags.properties()) {
                sorted.put(Integer.parseInt(tag.getKey()), Base64.getDecoder().decode(tag.getValue().textValue()));
            }
            sorted.forEach((tag, data) -> message.unknownTaggedFields().add(new RawTaggedField(tag, data)));
        }
        for (Part part : partsOf(message.getClass())) {
            JsonNode inner = node.get(part.name);
            Object value = part.field.get(message);
            if (part.records || inner == null || inner.isNull() || value == null) continue;
            if (part.list) {
                int at = 0;
                for (Object item : (Iterable<?>) value) tagsIn((Message) item, inner.get(at++));
            } else {
                tagsIn((Message) value, inner);
            }
        }
    }

    /** Adds what Kafka's converter leaves out of the JSON: the bytes of record sets, and unknown tags as "_tags". */
    private void extrasOut(Message message, JsonNode node) throws IllegalAccessException {
        ObjectNode object = (ObjectNode) node;
        List<RawTaggedField> unknown = message.unknownTaggedFields();
        if (!unknown.isEmpty()) {
            ObjectNode tags = object.putObject(TAGS);
            for (RawTaggedField tag : unknown) tags.put(Integer.toString(tag.tag()), Base64.getEncoder().encodeToString(tag.data()));
        }
        for (Part part : partsOf(message.getClass())) {
            Object value = part.field.get(message);
            JsonNode inner = node.get(part.name);
            if (value == null || inner == null || inner.isNull()) continue;
            if (part.records) {
                ByteBuffer buffer = ((MemoryRecords) value).buffer();
                byte[] bytes = new byte[buffer.remaining()];
                buffer.get(bytes);
                object.set(part.name, BinaryNode.valueOf(bytes));
            } else if (part.list) {
                int at = 0;
                for (Object item : (Iterable<?>) value) extrasOut((Message) item, inner.get(at++));
            } else {
                extrasOut((Message) value, inner);
            }
        }
    }

    private static byte[] bytes(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        if (buffer.hasRemaining()) throw new IllegalStateException(buffer.remaining() + " bytes fewer written than announced");
        return buffer.array();
    }

    private Object encode(String name, short version, JsonNode value, boolean tagged) throws Exception {
        Message message = (Message) codec(name).read.invoke(null, value, version);
        if (tagged) tagsIn(message, value);
        return bytes(message, version);
    }

    private Object decode(String name, short version, byte[] data, boolean again) throws Exception {
        Codec codec = codec(name);
        Message message = codec.fresh();
        ByteBuffer buffer = ByteBuffer.wrap(data);
        message.read(new ByteBufferAccessor(buffer), version);
        JsonNode value = (JsonNode) codec.write.invoke(null, message, version, true);
        extrasOut(message, value);
        ArrayNode answer = JSON.createArrayNode().add(value).add(buffer.remaining());
        if (again) answer.add(bytes(message, version));
        return answer;
    }

    private Object classes() throws Exception {
        ObjectNode out = JSON.createObjectNode();
        for (Map.Entry<String, Codec> entry : codecs.entrySet()) {
            Message message = entry.getValue().fresh();
            out.putObject(entry.getKey()).put("package", entry.getValue().type.getPackageName())
                .put("lowest", message.lowestSupportedVersion()).put("highest", message.highestSupportedVersion());
        }
        for (ApiMessageType type : ApiMessageType.values()) {
            String name = type.name;
            for (String suffix : List.of("RequestData", "ResponseData")) {
                ObjectNode entry = (ObjectNode) out.get(name + suffix);
                if (entry == null) continue;
                boolean request = suffix.equals("RequestData");
                entry.put("key", type.apiKey()).put("stable", type.highestSupportedVersion(false));
                ArrayNode headers = entry.putArray("headers");
                for (short v = type.lowestSupportedVersion(); v <= type.highestSupportedVersion(true); v++) {
                    headers.add(request ? type.requestHeaderVersion(v) : type.responseHeaderVersion(v));
                }
            }
        }
        return out;
    }

    private Object run(JsonNode command, boolean tagged) {
        try {
            String op = command.get(0).textValue();
            if (op.equals("classes")) return classes();
            String name = command.get(1).textValue();
            short version = (short) command.get(2).intValue();
            JsonNode value = command.get(3);
            return switch (op) {
                case "encode" -> encode(name, version, value, tagged);
                case "decode" -> decode(name, version, Base64.getDecoder().decode(value.textValue()), false);
                case "recode" -> decode(name, version, Base64.getDecoder().decode(value.textValue()), true);
                default -> throw new IllegalArgumentException("no command " + op);
            };
        } catch (Throwable error) { // OutOfMemoryError included: a bad length in somebody's bytes must not end the server
            Throwable cause = error instanceof InvocationTargetException ? error.getCause() : error;
            return JSON.createObjectNode().put("error", cause.getClass().getSimpleName() + ": " + cause.getMessage());
        }
    }

    public static void main(String[] args) throws Exception {
        KafkaCodec codec = new KafkaCodec(System.getProperty("java.class.path"));
        BufferedReader in = new BufferedReader(new InputStreamReader(new FileInputStream(FileDescriptor.in), StandardCharsets.UTF_8), 1 << 20);
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false);
        for (String line; (line = in.readLine()) != null; ) {
            boolean tagged = line.contains('"' + TAGS + '"');
            ArrayNode answers = JSON.createArrayNode();
            try (JsonParser parser = JSON.createParser(line)) {
                for (JsonNode command : (JsonNode) JSON.readTree(parser)) answers.addPOJO(codec.run(command, tagged));
            }
            out.write(JSON.writeValueAsBytes(answers));
            out.write('\n');
            out.flush();
        }
    }
}
