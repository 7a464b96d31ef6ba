import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command-line tools one after the other in one warm JVM: their own classes, unchanged, through their `main`.
 *
 * stdin: {"class": name, "arguments": [..], "stdin": text} per line; stdout: {"status": n, "stdout": text, "stderr": text} per line.
 */
public final class RunTools {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Thrown where the tool ends its JVM. */
    private static final class Exited extends Error {
        private static final long serialVersionUID = 1L;
    }

    /** Loads the tools' own packages anew for each run, so that what they keep in static fields begins afresh. */
    private static final class ToolLoader extends URLClassLoader {
        ToolLoader(URL[] jars) {
            super(jars, RunTools.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith("org.apache.kafka.tools.") && !name.startsWith("kafka.admin.")) return super.loadClass(name, resolve);
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                return loaded != null ? loaded : findClass(name);
            }
        }
    }

    /** What one run has printed; what a tool prints while its JVM would be ending is not counted. */
    private static final class Output {
        final ByteArrayOutputStream out = new ByteArrayOutputStream();
        final ByteArrayOutputStream err = new ByteArrayOutputStream();
        final List<Runnable> hooks = new ArrayList<>();
        Integer status;
        String stdout;
        String stderr;

        void end(int code) {
            if (status != null) return;
            hooks.forEach(Runnable::run);
            System.out.flush();
            System.err.flush();
            stdout = out.toString(StandardCharsets.UTF_8);
            stderr = err.toString(StandardCharsets.UTF_8);
            status = code;
        }
    }

    private RunTools() { }

    private static Output run(JsonNode command, URL[] jars) throws Exception {
        List<String> arguments = new ArrayList<>();
        command.get("arguments").forEach(each -> arguments.add(each.textValue()));
        Output output = new Output();
        System.setIn(new ByteArrayInputStream(command.get("stdin").textValue().getBytes(StandardCharsets.UTF_8)));
        System.setOut(new PrintStream(output.out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(output.err, true, StandardCharsets.UTF_8));
        Exit.setShutdownHookAdder((name, hook) -> output.hooks.add(hook));
        Exit.Procedure exit = (code, message) -> {
            output.end(code);
            throw new Exited();
        };
        Exit.setExitProcedure(exit);
        Exit.setHaltProcedure(exit);
        try (ToolLoader loader = new ToolLoader(jars)) {
            Thread.currentThread().setContextClassLoader(loader);
            loader.loadClass(command.get("class").textValue()).getMethod("main", String[].class)
                .invoke(null, (Object) arguments.toArray(new String[0]));
            output.end(0);
        } catch (InvocationTargetException problem) {
            if (output.status == null) { // as the launcher of Java does with an exception that main lets through
                problem.getCause().printStackTrace();
                output.end(1);
            }
        }
        return output;
    }

    public static void main(String[] args) throws Exception {
        List<URL> jars = new ArrayList<>();
        for (String jar : System.getProperty("java.class.path").split(File.pathSeparator)) jars.add(new File(jar).toURI().toURL());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
        for (String line; (line = in.readLine()) != null; ) {
            Output output = run(JSON.readTree(line), jars.toArray(new URL[0]));
            answers.println(JSON.createObjectNode().put("status", output.status).put("stdout", output.stdout).put("stderr", output.stderr));
            answers.flush();
        }
    }
}
